import { serveEdge } from "../../edge-worker/node/serve.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import { describeLosses } from "./losses.ts";

describeLosses("edge on Node", (options) =>
  serveEdge({ ...edgeDoor, log: recordedLog(), ...options }),
);
