import { serveEdge } from "../../edge-worker/node/serve.ts";
import { recordedLog } from "../support/log.ts";
import { describeEdge, type StartEdge } from "./edge.ts";
import { describeUsers } from "./users.ts";

const start: StartEdge = (options) =>
  serveEdge({ host: "127.0.0.1", port: 0, maxDials: 512, log: recordedLog(), ...options });

describeEdge("edge on Node", start);
describeUsers("edge on Node", start, true);
