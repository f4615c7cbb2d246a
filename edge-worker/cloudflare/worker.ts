import type { Admitted } from "../../protocol/admission.ts";
import { createEdge } from "../edge.ts";
import { consoleLog } from "./console-log.ts";
import { withAdmitted } from "./durable-bridge.ts";
import { createWorkerBridge, placeOfRequest, upgradeTo } from "./worker-bridge.ts";
import { readSettings, type WorkerEnv } from "./worker-env.ts";

export { DurableBridge } from "./durable-bridge.ts";

const app = createEdge<WorkerEnv>({
  admission: (env) => readSettings(env, consoleLog)?.admission,
  upgrade,
});

export default app;

async function upgrade(
  request: Request,
  admitted: Admitted,
  env: WorkerEnv,
): Promise<Response | undefined> {
  const settings = readSettings(env, consoleLog);
  if (!settings) return undefined;
  if (settings.bridge === "stateless") {
    // No state outlives this invocation, so there is nothing that could know a replayed nonce.
    return upgradeTo(createWorkerBridge(settings, consoleLog, placeOfRequest(request)));
  }
  const stub = env.BRIDGES.get(env.BRIDGES.idFromName(admitted.keyId));
  const response = await stub.fetch(withAdmitted(request, admitted));
  return response.status === 101 ? response : undefined;
}
