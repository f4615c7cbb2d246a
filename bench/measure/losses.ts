import { setTimeout as sleep } from "node:timers/promises";
import { number, object } from "valibot";
import type { Command, Relays } from "../load/link.ts";
import { LINK_50 } from "./links.ts";
import type { Course, Measurement, Turn } from "./measurement.ts";

/** A loss comes this long after the download has begun to be looked at. */
const LOSS_AFTER_MS = 300;
const WARM_MS = 1000;
/** Enough for the slowest who goes on at all. */
const WINDOW_MS = 3000;
/** How long there is no network. */
const OUTAGE_MS = 1000;

const result = object({ gapMs: number(), resumedAtMs: number(), bytes: number() });

/** What becomes of a download when connections on its way break, over a link of 50 ms. */
export const losses: Course = {
  name: "losses",
  link: LINK_50,
  measurements: [
    timeLost("loss-one", "the connection that carries it breaks, others are there", (relays) =>
      strike(relays, "break the busiest"),
    ),
    timeLost("loss-all", "all connections break", (relays) => strike(relays, "break all")),
    timeLost(
      "loss-outage",
      `no network for ${OUTAGE_MS / 1000} s, from its return`,
      async (relays) => {
        strike(relays, "break all, and refuse");
        await sleep(OUTAGE_MS);
        return strike(relays, "open");
      },
    ),
  ],
  rounds: "all",
};

/** Tells the link, and returns when that was, by the clock that the load generator reads, too. */
function strike(relays: Relays, command: Command): number {
  relays.tell(command);
  return Number(process.hrtime.bigint()) / 1e6;
}

function timeLost(
  key: string,
  label: string,
  act: (relays: Relays) => number | Promise<number>,
): Measurement {
  return {
    name: key,
    rows: [
      {
        key,
        topic: "losses",
        label: `a download's next byte: ${label}, ${LINK_50.rttMs} ms RTT`,
        unit: "ms",
        better: "less",
      },
    ],
    async run({ load, relays }: Turn) {
      if (relays === undefined) throw new Error("Cannot break connections: there is no link");
      const numbers = { streams: 1, warm: WARM_MS, window: WINDOW_MS };
      const [{ resumedAtMs }, lostAtMs] = await Promise.all([
        load.run("gap", numbers, result),
        sleep(WARM_MS + LOSS_AFTER_MS).then(() => act(relays)),
      ]);
      if (resumedAtMs < lostAtMs) throw new Error("Cannot tell the loss from another pause");
      return { [key]: resumedAtMs - lostAtMs };
    },
  };
}
