import { serveWorkerdEdge, workerdOutbound } from "../../edge-worker/node/serve-workerd.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import { describeDns } from "./dns.ts";
import { describeEdge, type StartEdge } from "./edge.ts";
import { describeTurnBind, describeUdp } from "./udp.ts";
import { describeUsers } from "./users.ts";

/** Nothing of a plain Worker outlives its WebSocket. */
const hellos = {
  durable: { resumeWindow: 60, maxCarriers: 4 },
  stateless: { resumeWindow: 0, maxCarriers: 1 },
} as const;

for (const bridge of ["durable", "stateless"] as const) {
  const name = `edge on workerd, ${bridge} bridge`;
  const start: StartEdge = (options) =>
    serveWorkerdEdge({ ...edgeDoor, bridge, log: recordedLog(), ...options });
  describeEdge(name, start, { runtime: "workerd", ...hellos[bridge] });
  describeUsers(name, start, bridge === "durable");
  describeDns(name, start, workerdOutbound);
  describeUdp(name, start, workerdOutbound);
  describeTurnBind(name, start, workerdOutbound);
}
