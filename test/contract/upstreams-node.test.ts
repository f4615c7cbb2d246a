import { serveEdge } from "../../edge-worker/node/serve.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import { describeUpstreams } from "./upstreams.ts";

describeUpstreams("edge on Node", (options) =>
  serveEdge({ ...edgeDoor, maxDials: 512, log: recordedLog(), ...options }),
);
