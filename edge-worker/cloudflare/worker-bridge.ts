import type { Log } from "../../protocol/log.ts";
import { Bridge } from "../bridge.ts";
import { capabilitiesOf } from "../egress/egress.ts";
import { createCloudflareTargets } from "../egress/upstream/cloudflare-targets.ts";
import { createUpstreams } from "../egress/upstream/create-upstreams.ts";
import { edgeLimits, endlessBudget, helloOf, noResumption, processLimits } from "../limits.ts";
import { Tally } from "../tally.ts";
import type { UsageStore } from "../users/usage.ts";
import { Users } from "../users/users.ts";
import { dialEdge } from "./dial-edge.ts";
import { acceptCarrier } from "./worker-carrier.ts";
import { workerClock } from "./worker-clock.ts";
import { createWorkerEgress, createWorkerResolver } from "./worker-egress.ts";
import { readSettings, type WorkerEnv, type WorkerSettings } from "./worker-env.ts";
import { consoleLog } from "./console-log.ts";

/** The bridge with a Worker's sockets and clock. */
export function createWorkerBridge(
  settings: WorkerSettings,
  users: Users,
  log: Log,
  place: string,
): Bridge {
  const resolver = createWorkerResolver(settings);
  const isStateless = settings.bridge === "stateless";
  const resumption = isStateless ? noResumption : settings.resumption;
  const limits = settings.isOwnProcess ? processLimits : edgeLimits;
  const budget = isStateless ? settings.budget : endlessBudget;
  const { egress } = createUpstreams(settings.upstreams, {
    clock: workerClock,
    log,
    random: Math.random,
    direct: createWorkerEgress(settings, resolver, log),
    dialEdge,
    blocked: settings.reachesCloudflare
      ? undefined
      : createCloudflareTargets(workerClock, resolver.nameCheck),
    connectTimeoutMs: settings.connectTimeoutMs,
    // The plain Worker cannot keep a session, but its upstream can.
    resumption: settings.resumption,
  });
  return new Bridge({
    clock: workerClock,
    log,
    tally: new Tally(),
    users,
    egress,
    connectTimeoutMs: settings.connectTimeoutMs,
    hello: helloOf(limits, resumption, capabilitiesOf(egress), "workerd", place, budget),
    resumeMemory: resumption.resumeMemory,
  });
}

/** The users of the settings, counted in `store`. */
export function createWorkerUsers(settings: WorkerSettings, store: UsageStore): Users {
  const { access, allowPrivate } = settings;
  return new Users({
    ...access,
    allowPrivate,
    clock: workerClock,
    wallNow: () => Date.now(),
    store,
  });
}

/** Lets users and bridge take what the settings say by now; what cannot be used changes nothing. */
export async function renew(users: Users, bridge: Bridge, env: WorkerEnv): Promise<void> {
  const settings = await readSettings(env, consoleLog);
  if (!settings) return;
  users.replace(settings.access);
  bridge.evict();
}

/** Answers an admitted Upgrade request with a WebSocket that the bridge has taken. */
export function upgradeTo(bridge: Bridge, user: string): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  bridge.accept(user, (events) => acceptCarrier(server, events));
  return new Response(null, { status: 101, webSocket: client });
}

/** The data centre that a request came in at, such as "AMS"; "" outside Cloudflare. */
export function placeOfRequest(request: Request): string {
  const { cf } = request as Request<unknown, IncomingRequestCfProperties>;
  return cf?.colo ?? "";
}
