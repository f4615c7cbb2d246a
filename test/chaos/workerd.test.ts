import { serveWorkerdEdge } from "../../edge-worker/node/serve-workerd.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import { describeLosses } from "./losses.ts";

describeLosses("edge on workerd, durable bridge", (options) =>
  serveWorkerdEdge({ ...edgeDoor, bridge: "durable", log: recordedLog(), ...options }),
);
