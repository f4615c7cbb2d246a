import { serveEdge } from "../../edge-worker/node/serve.ts";
import { recordedLog } from "../support/log.ts";
import { describeEdge } from "./edge.ts";

describeEdge("edge on Node", (options) =>
  serveEdge({
    host: "127.0.0.1",
    port: 0,
    log: recordedLog(),
    ...options,
  }),
);
