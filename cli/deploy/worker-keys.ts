import { randomBytes } from "node:crypto";
import type { User } from "../../edge-worker/users/user.ts";
import { accessOfWorker, parseWorkerVariables } from "../../edge-worker/worker-variables.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { createAdmission, readSecret } from "../secret.ts";
import type { DeploySettings, WorkerPlan } from "./worker-plan.ts";

/** One key, as an agent has it. */
export type Key = Pick<User, "id" | "secret">;

/** The keys of a Worker that is to be put up. */
export interface WorkerKeys {
  /** What is put as secrets: null for one that has to go. Nothing where a KV namespace has the keys. */
  readonly secrets: Readonly<Record<string, string | null>>;
  /** The key by which we see whether the Worker lets us in; undefined in a dry run without one. */
  readonly own: Key | undefined;
  /** All of them that may still be used: the keys of agents that the Worker is to serve. */
  readonly good: readonly Key[];
  /** Texts that nobody may see, in every form in which they could be shown. */
  readonly hidden: readonly string[];
}

type KeySettings = Pick<DeploySettings, "secret" | "secret-file" | "keys" | "key-id" | "dry-run">;
type KeyPlan = Pick<WorkerPlan, "keyId" | "variables" | "hasStoredKeys">;

/** The keys that the settings give to a Worker, checked as the Worker does. @throws ConfigError */
export function keysOf(settings: KeySettings, plan: KeyPlan, nowMs: number): WorkerKeys {
  if (settings.keys) return severalKeys(settings, plan, nowMs);
  const isGiven = settings.secret !== undefined || settings["secret-file"] !== undefined;
  if (!isGiven && settings["dry-run"]) {
    // Whether the rest can be used does not depend on which secret it is.
    check(plan, { EDGESOCKS_SECRET: randomBytes(32).toString("base64url") });
    return { secrets: {}, own: undefined, good: [], hidden: [] };
  }
  const secret = readSecret(settings);
  // Says it in words that fit one secret; the Worker would speak of keys[0].
  createAdmission(plan.keyId, secret);
  check(plan, { EDGESOCKS_SECRET: secret });
  const own = { id: plan.keyId, secret };
  return {
    // Exactly one place may have the keys; the other secret may be there from another time.
    secrets: plan.hasStoredKeys ? {} : { EDGESOCKS_SECRET: secret, EDGESOCKS_KEYS: null },
    own,
    good: [own],
    hidden: formsOf([secret]),
  };
}

/** The same along with the upstreams of the settings; without some, those that are there stay. */
export function withUpstreams(
  keys: WorkerKeys,
  upstreams: DeploySettings["upstreams"],
): WorkerKeys {
  if (!upstreams) return keys;
  return {
    ...keys,
    secrets: { ...keys.secrets, UPSTREAMS: JSON.stringify(upstreams) },
    hidden: [...keys.hidden, ...formsOf(upstreams.map(({ url }) => url))],
  };
}

function severalKeys(settings: KeySettings, plan: KeyPlan, nowMs: number): WorkerKeys {
  if (settings.secret !== undefined || settings["secret-file"] !== undefined) {
    throw new ConfigError("Cannot use keys along with a secret: give each key its own in keys");
  }
  if (plan.hasStoredKeys) {
    throw new ConfigError("Cannot use keys along with the KV namespace KEYS: put them there");
  }
  const text = JSON.stringify(settings.keys);
  const users = check(plan, { EDGESOCKS_KEYS: text });
  const good = users
    .filter(({ expiresAt }) => expiresAt > nowMs)
    .map(({ id, secret }) => ({ id, secret }));
  return {
    secrets: { EDGESOCKS_SECRET: null, EDGESOCKS_KEYS: text },
    own: ownOf(good, users, settings["key-id"]),
    good,
    hidden: formsOf(users.map((user) => user.secret)),
  };
}

/** The key with that id, or the first, of those that are good. */
function ownOf(good: readonly Key[], users: readonly User[], id: string | undefined): Key {
  const fits = (key: Key): boolean => id === undefined || key.id === id;
  const own = good.find(fits);
  if (own) return own;
  const which = id === undefined ? "every key" : `the key ${id}`;
  const why = users.some(fits) ? "has expired" : "is not among keys";
  throw new ConfigError(`Cannot see whether the Worker lets us in: ${which} ${why}`);
}

/** As the Worker would see them at its start. */
function check({ variables }: KeyPlan, secrets: Readonly<Record<string, string>>): readonly User[] {
  const parsed = parseWorkerVariables({ ...variables, ...secrets });
  return accessOfWorker(parsed).users;
}

/** A secret as it is, and as it stands in JSON, and in JSON within JSON. */
function formsOf(secrets: readonly string[]): string[] {
  const escape = (text: string): string => JSON.stringify(text).slice(1, -1);
  const forms = secrets.flatMap((secret) => [escape(escape(secret)), escape(secret), secret]);
  return [...new Set(forms)];
}
