import { serveWorkerdEdge } from "../../edge-worker/node/serve-workerd.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import { describeEdge, type StartEdge } from "./edge.ts";
import { describeUsers } from "./users.ts";

for (const bridge of ["durable", "stateless"] as const) {
  const start: StartEdge = (options) =>
    serveWorkerdEdge({ ...edgeDoor, bridge, log: recordedLog(), ...options });
  describeEdge(`edge on workerd, ${bridge} bridge`, start);
  describeUsers(`edge on workerd, ${bridge} bridge`, start, bridge === "durable");
}
