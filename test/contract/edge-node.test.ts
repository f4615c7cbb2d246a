import { nodeOutbound } from "../../edge-worker/egress/outbound.ts";
import { serveEdge } from "../../edge-worker/node/serve.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import { describeDns } from "./dns.ts";
import { describeEdge, type StartEdge } from "./edge.ts";
import { describeUdp } from "./udp.ts";
import { describeUsers } from "./users.ts";

const start: StartEdge = (options) => serveEdge({ ...edgeDoor, log: recordedLog(), ...options });

describeEdge("edge on Node", start, { runtime: "node", resumeWindow: 60, maxCarriers: 4 });
describeUsers("edge on Node", start, true);
describeDns("edge on Node", start, nodeOutbound);
describeUdp("edge on Node", start, nodeOutbound);
