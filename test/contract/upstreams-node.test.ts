import { serveEdge } from "../../edge-worker/node/serve.ts";
import { recordedLog } from "../support/log.ts";
import { describeUpstreams } from "./upstreams.ts";

describeUpstreams("edge on Node", (options) =>
  serveEdge({ host: "127.0.0.1", port: 0, maxDials: 512, log: recordedLog(), ...options }),
);
