import { Uplink } from "../../protocol/uplink.ts";
import { Metrics } from "../../client-agent/observe/metrics.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeEdge, type Mood } from "./fake-edge.ts";
import { recordedLog } from "./log.ts";
import { metricValue } from "./metric-value.ts";
import { helloWith } from "./session-pair.ts";

/** The edge of every uplink here, as its log names it. */
export const EDGE = "wss://edge.example/path";

/** An uplink that has just begun to run, to an edge of that mood. Its pauses are the shortest. */
export function startUplink(mood: Mood) {
  const clock = new FakeClock();
  const edge = new FakeEdge(clock);
  edge.mood = mood;
  const log = recordedLog();
  const metrics = new Metrics();
  const uplink = new Uplink({
    clock,
    log,
    metrics,
    random: () => 0,
    dial: edge.dial,
    hello: helloWith({ maxStreams: 0 }),
    resumeMemory: 1_000_000,
    carriers: { least: 1, most: 8 },
    edge: EDGE,
  });
  let hasEnded = false;
  void uplink.run().then(() => (hasEnded = true));
  return {
    clock,
    edge,
    log,
    uplink,
    hasEnded: () => hasEnded,
    metric: (series: string) => metricValue(metrics, series),
    /** The times between dials so far. */
    pauses: (): number[] => edge.dialledAt.slice(1).map((at, i) => at - (edge.dialledAt[i] ?? 0)),
  };
}

/** The same, once all that happens at once has happened. */
export async function runningUplink(mood: Mood = "answers") {
  const running = startUplink(mood);
  await running.clock.run();
  return running;
}
