import { type Admitted, Keyring } from "../../protocol/admission.ts";
import { createEdge } from "../edge.ts";
import { forgetfulStore } from "../users/usage.ts";
import { consoleLog } from "./console-log.ts";
import { withAdmitted } from "./durable-bridge.ts";
import { drainOnNotice, followAccess } from "./runner.ts";
import {
  createWorkerBridge,
  createWorkerUsers,
  placeOfRequest,
  renew,
  upgradeTo,
} from "./worker-bridge.ts";
import { readSettings, type WorkerEnv } from "./worker-env.ts";

export { DurableBridge } from "./durable-bridge.ts";

const app = createEdge<WorkerEnv>({
  keyring: async (env) => {
    const settings = await readSettings(env, consoleLog);
    return settings && new Keyring(settings.access.users);
  },
  upgrade,
});

export default app;

async function upgrade(
  request: Request,
  admitted: Admitted,
  env: WorkerEnv,
): Promise<Response | undefined> {
  const settings = await readSettings(env, consoleLog);
  if (!settings) return undefined;
  if (settings.bridge === "stateless") {
    // No state outlives this invocation, so there is nothing that could know a replayed nonce.
    const users = createWorkerUsers(settings, forgetfulStore);
    const bridge = createWorkerBridge(settings, users, consoleLog, placeOfRequest(request));
    void drainOnNotice(bridge, env.RUNNER);
    void followAccess(env.RUNNER, () => renew(users, bridge, env));
    return upgradeTo(bridge, admitted.keyId);
  }
  // Heeded when the object is made, by its first get(); afterwards it stays where it is.
  const { locationHint } = settings;
  const placed = locationHint === undefined ? {} : { locationHint };
  const stub = env.BRIDGES.get(env.BRIDGES.idFromName(admitted.keyId), placed);
  const response = await stub.fetch(withAdmitted(request, admitted));
  return response.status === 409 ? undefined : response;
}
