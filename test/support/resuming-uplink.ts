import { CarrierError } from "../../protocol/errors.ts";
import type { Hello } from "../../protocol/hello.ts";
import { type Dial, Uplink } from "../../protocol/uplink.ts";
import { createBridge } from "./bridge-parts.ts";
import { type CarrierPair, carrierPair } from "./carrier-pair.ts";
import { recordedLog } from "./log.ts";
import { helloWith } from "./session-pair.ts";

/** What a network and its ends are like. */
interface Way {
  /** How long a message is under way. */
  readonly delayMs: number;
  /** What both ends say of their windows. */
  readonly windows: Partial<Hello>;
}

const near: Way = { delayMs: 0, windows: {} };

/** An uplink that keeps so many carriers to a real bridge, both on one clock, and greeted. */
export async function resumingUplink(carriers = 1, maxCarriers = 4, { delayMs, windows } = near) {
  const hello = helloWith({ maxCarriers, resumeWindow: 60, runtime: "fake", ...windows });
  let current = createBridge({ hello });
  const { clock } = current;
  const pairs: CarrierPair[] = [];
  const dialledAt: number[] = [];
  /** A silent one answers nothing, as behind a firewall that has forgotten the connection. */
  const network = { isUp: true, isSilent: false };
  const dial: Dial = async (signal) => {
    dialledAt.push(clock.now());
    await Promise.resolve();
    if (network.isSilent) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    if (signal.aborted || !network.isUp) throw new CarrierError("ERR_CARRIER_LOST", "no network");
    const pair = carrierPair(clock, () => delayMs);
    pairs.push(pair);
    current.bridge.accept("test", pair.right);
    return pair.left;
  };
  const log = recordedLog();
  const ups: boolean[] = [];
  const failures: unknown[] = [];
  const uplink = new Uplink({
    clock,
    log,
    metrics: {
      edgeUp: (isUp) => void ups.push(isUp),
      carrierFailed: (error) => void failures.push(error),
    },
    random: () => 0,
    dial,
    hello: helloWith({ maxStreams: 0, resumeWindow: 3600, ...windows }),
    resumeMemory: 1_000_000,
    carriers: { least: carriers, most: 8 },
    edge: "wss://edge.example/",
  });
  void uplink.run();
  await clock.advance(delayMs * 10);
  return {
    uplink,
    clock,
    log,
    ups,
    failures,
    pairs,
    dialledAt,
    network,
    egress: () => current.egress,
    bridge: () => current.bridge,
    /** Another edge stands where the first one was, and knows nothing of its sessions. */
    restartEdge: () => {
      current = createBridge({ hello, clock });
    },
  };
}
