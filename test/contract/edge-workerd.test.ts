import { serveWorkerdEdge } from "../../edge-worker/node/serve-workerd.ts";
import { recordedLog } from "../support/log.ts";
import { describeEdge } from "./edge.ts";

for (const bridge of ["durable", "stateless"] as const) {
  describeEdge(`edge on workerd, ${bridge} bridge`, (options) =>
    serveWorkerdEdge({ host: "127.0.0.1", port: 0, bridge, log: recordedLog(), ...options }),
  );
}
