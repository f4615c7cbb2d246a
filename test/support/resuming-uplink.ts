import { CarrierError } from "../../protocol/errors.ts";
import { type Dial, Uplink } from "../../protocol/uplink.ts";
import { createBridge } from "./bridge-parts.ts";
import { type CarrierPair, carrierPair } from "./carrier-pair.ts";
import { recordedLog } from "./log.ts";
import { helloWith } from "./session-pair.ts";

/** An uplink that keeps so many carriers to a real bridge, both on one clock, and greeted. */
export async function resumingUplink(carriers = 1, maxCarriers = 4) {
  const hello = helloWith({ maxCarriers, resumeWindow: 60, runtime: "fake" });
  let current = createBridge({ hello });
  const { clock } = current;
  const pairs: CarrierPair[] = [];
  const dialledAt: number[] = [];
  const network = { isUp: true };
  const dial: Dial = async (signal) => {
    dialledAt.push(clock.now());
    await Promise.resolve();
    if (signal.aborted || !network.isUp) throw new CarrierError("ERR_CARRIER_LOST", "no network");
    const pair = carrierPair(clock);
    pairs.push(pair);
    current.bridge.accept("test", pair.right);
    return pair.left;
  };
  const log = recordedLog();
  const ups: boolean[] = [];
  const uplink = new Uplink({
    clock,
    log,
    metrics: { edgeUp: (isUp) => void ups.push(isUp), carrierFailed: () => {} },
    random: () => 0,
    dial,
    hello: helloWith({ maxStreams: 0, resumeWindow: 3600 }),
    carriers,
    edge: "wss://edge.example/",
  });
  void uplink.run();
  await clock.run();
  return {
    uplink,
    clock,
    log,
    ups,
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
