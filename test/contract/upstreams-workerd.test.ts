import { serveWorkerdEdge } from "../../edge-worker/node/serve-workerd.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import { describeUpstreams } from "./upstreams.ts";

for (const bridge of ["durable", "stateless"] as const) {
  describeUpstreams(`edge on workerd, ${bridge} bridge`, (options) =>
    serveWorkerdEdge({
      ...edgeDoor,
      maxDials: 5,
      bridge,
      log: recordedLog(),
      ...options,
    }),
  );
}
