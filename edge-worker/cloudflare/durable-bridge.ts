import { DurableObject } from "cloudflare:workers";
import { type Admitted, NonceCache } from "../../protocol/admission.ts";
import type { Bridge } from "../bridge.ts";
import { drainAsked, Replacement } from "../replacement.ts";
import { createSqlStore } from "../users/sql-store.ts";
import type { UsageStore } from "../users/usage.ts";
import type { Users } from "../users/users.ts";
import { consoleLog } from "./console-log.ts";
import { drainOnNotice, followAccess } from "./runner.ts";
import {
  createWorkerBridge,
  createWorkerUsers,
  placeOfRequest,
  renew,
  upgradeTo,
} from "./worker-bridge.ts";
import { workerClock } from "./worker-clock.ts";
import { readSettings, type WorkerEnv, type WorkerSettings } from "./worker-env.ts";

/** Tokens of one key that may be alive at once; each lives for four minutes at most. */
const MAX_NONCES = 65_536;

/**
 * The bridge of one key, in an object of its own: it keeps its sockets when a WebSocket is lost,
 * and each message is an event with a fresh CPU and subrequest budget.
 */
export class DurableBridge extends DurableObject<WorkerEnv> {
  readonly #nonces = new NonceCache(MAX_NONCES);
  #users: Users | undefined;
  readonly #replacement = new Replacement(workerClock);
  #bridge: Bridge | undefined;

  /**
   * Answers a request that the Worker has admitted, as `withAdmitted()` says; 409 for a replay, and 503
   * while the next version of it is on its way. What asks for a drain is answered once that is over, with
   * the number of sessions that were cut.
   */
  override async fetch(request: Request): Promise<Response> {
    const admitted = readAdmitted(request.headers);
    if (!this.#nonces.take(admitted, Date.now())) return new Response(null, { status: 409 });
    const settings = await readSettings(this.env, consoleLog);
    if (!settings) return new Response(null, { status: 409 });
    const drainMs = drainAsked(request.headers);
    if (drainMs !== undefined) return this.#drain(drainMs);
    if (this.#replacement.isDue && !this.#bridge?.waitingCount) {
      return new Response(null, { status: 503 });
    }
    this.#users ??= createWorkerUsers(settings, this.#openStore());
    this.#users.replace(settings.access);
    this.#bridge ??= this.#createBridge(settings, this.#users, request);
    this.#bridge.evict();
    return upgradeTo(this.#bridge, admitted.keyId);
  }

  async #drain(drainMs: number): Promise<Response> {
    const bridge = this.#bridge;
    if (!bridge?.sessionCount) return new Response("0");
    const cut = await this.#replacement.begin(bridge, drainMs);
    if (this.#bridge === bridge) this.#bridge = undefined;
    return new Response(String(cut));
  }

  #createBridge(settings: WorkerSettings, users: Users, request: Request): Bridge {
    const bridge = createWorkerBridge(settings, users, consoleLog, placeOfRequest(request));
    void drainOnNotice(bridge, this.env.RUNNER);
    void followAccess(this.env.RUNNER, () => renew(users, bridge, this.env));
    return bridge;
  }

  #openStore(): UsageStore {
    const { sql } = this.ctx.storage;
    return createSqlStore((statement, ...values) => sql.exec(statement, ...values), consoleLog);
  }
}

const HEADER = "x-admitted";

/** How the Worker tells the object whom it admitted. Set on the request, so no stranger's survives. */
export function withAdmitted(request: Request, admitted: Admitted): Request {
  const forwarded = new Request(request);
  forwarded.headers.set(HEADER, JSON.stringify(admitted));
  return forwarded;
}

function readAdmitted(headers: Headers): Admitted {
  return JSON.parse(headers.get(HEADER) ?? "") as Admitted;
}
