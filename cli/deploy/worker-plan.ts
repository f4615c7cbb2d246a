import { dirname, join } from "node:path";
import { findPackageJSON } from "node:module";
import * as v from "valibot";
import {
  parseWorkerVariables,
  workerSecrets,
  workerVariables,
} from "../../edge-worker/worker-variables.ts";
import { ConfigError, messageOf } from "../../protocol/errors.ts";
import type { SettingsOf } from "../settings.ts";
import { readToml, unknownName } from "../sources.ts";
import type { tables } from "../tables.ts";

export type DeploySettings = SettingsOf<(typeof tables)["deploy"]>;

/** A wrangler.toml to start from. */
export interface Template {
  readonly file: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** What would be put up: everything but the code and the secrets. */
export interface WorkerPlan {
  readonly name: string;
  readonly compatibilityDate: string;
  readonly keyId: string;
  readonly bridge: "durable" | "stateless";
  /** Whether its keys are in a KV namespace, and so in no secret. */
  readonly hasStoredKeys: boolean;
  readonly variables: Readonly<Record<string, string>>;
  /** What wrangler is given, as wrangler.json beside the bundle. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** The name of the bundle, beside wrangler.json. */
export const BUNDLE = "worker.js";

const BINDING = { name: "BRIDGES", class_name: "DurableBridge" } as const;

/** What edgesocks needs of a wrangler.toml; the rest of it is wrangler's business. */
const TEMPLATE = v.looseObject({
  name: v.string("expected a name"),
  compatibility_date: v.pipe(
    v.string("expected a date as a text"),
    v.regex(/^\d{4}-\d{2}-\d{2}$/, "expected a date such as 2026-10-01"),
  ),
  kv_namespaces: v.optional(
    v.array(v.looseObject({ binding: v.string() }), "expected a list of bindings"),
    [],
  ),
  workers_dev: v.optional(v.boolean("expected true or false"), true),
  routes: v.optional(v.array(v.unknown(), "expected a list"), []),
  vars: v.optional(
    v.record(v.string(), v.string("expected a text in quotes"), "expected a table"),
    {},
  ),
  durable_objects: v.looseObject(
    {
      bindings: v.pipe(
        v.array(v.looseObject({ name: v.string(), class_name: v.string() }), "expected a list"),
        v.check(
          (bindings) => bindings.some(isBridges),
          `expected a binding BRIDGES with the class ${BINDING.class_name}`,
        ),
      ),
    },
    `expected a binding BRIDGES with the class ${BINDING.class_name}`,
  ),
  env: v.optional(v.never("edgesocks deploys no environments, give another Worker another --name")),
});

/** The wrangler.toml that a setting names, or that of this package. @throws ConfigError */
export function readTemplate(named: string | undefined): Template {
  const file = named ?? ownTemplate();
  return { file, values: readToml(file) };
}

/** Joins a wrangler.toml with the settings, which win. @throws ConfigError, one line */
export function planWorker({ file, values }: Template, settings: DeploySettings): WorkerPlan {
  const result = v.safeParse(TEMPLATE, values);
  if (!result.success) {
    const [issue] = result.issues;
    const key = issue.path?.map((item) => String(item.key)).join(".") ?? "what it says";
    throw new ConfigError(`Cannot use ${key} in ${file}: ${issue.message}`);
  }
  const template = result.output;
  const variables = variablesOf(template.vars, settings, file);
  const checked = check(variables, file);
  requireFittingPlace(settings, checked.BRIDGE);
  const name = settings.name ?? template.name;
  return {
    name,
    compatibilityDate: template.compatibility_date,
    keyId: checked.EDGESOCKS_KEY_ID,
    bridge: checked.BRIDGE,
    hasStoredKeys: template.kv_namespaces.some(({ binding }) => binding === "KEYS"),
    variables,
    config: { ...configOf(template, name, settings), vars: variables },
  };
}

/** The template with what the settings say of name, account, and where the Worker runs and is reached. */
function configOf(
  template: v.InferOutput<typeof TEMPLATE>,
  name: string,
  { domain, placement, "account-id": account, "workers-dev": workersDev }: DeploySettings,
): Readonly<Record<string, unknown>> {
  const routes = [
    ...template.routes,
    ...(domain ? [{ pattern: domain, custom_domain: true }] : []),
  ];
  const isOnWorkersDev = workersDev ?? template.workers_dev;
  if (!isOnWorkersDev && routes.length === 0 && template["route"] === undefined) {
    const ways = "give it a --domain, or leave workers-dev on";
    throw new ConfigError(`Cannot deploy ${name} to where nobody can reach it: ${ways}`);
  }
  return {
    ...template,
    name,
    main: BUNDLE,
    workers_dev: isOnWorkersDev,
    routes,
    ...(placement === undefined ? {} : { placement: placementOf(placement) }),
    ...(account === undefined ? {} : { account_id: account }),
  };
}

/** wrangler.toml's variables, then `worker-vars`, then the settings that have a name of their own. */
function variablesOf(
  vars: Readonly<Record<string, string>>,
  settings: DeploySettings,
  file: string,
): Record<string, string> {
  const named: Readonly<Record<string, string | number | boolean | undefined>> = {
    EDGESOCKS_KEY_ID: settings["key-id"],
    RULES: settings.rules && JSON.stringify(settings.rules),
    BRIDGE: settings.bridge,
    LOCATION_HINT: settings["location-hint"],
    ALLOW_PRIVATE: settings["allow-private"],
    CONNECT_TIMEOUT_MS: settings["connect-timeout"] && Math.round(settings["connect-timeout"]),
  };
  const set = Object.entries(named).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as const],
  );
  const variables = { ...vars, ...Object.fromEntries(settings["worker-vars"] ?? []) };
  for (const name of Object.keys(variables)) {
    if (workerSecrets.includes(name)) {
      const text = `Cannot use ${name} as a variable (worker-vars, or [vars] in ${file})`;
      throw new ConfigError(`${text}: it is a secret, and variables are shown`);
    }
  }
  return { ...variables, ...Object.fromEntries(set) };
}

function check(variables: Readonly<Record<string, string>>, file: string) {
  const known = Object.keys(workerVariables.entries);
  const stray = Object.keys(variables).find((name) => !known.includes(name));
  if (stray !== undefined) {
    throw unknownName(`the Worker's variable ${stray} (worker-vars, or ${file})`, stray, known);
  }
  try {
    return parseWorkerVariables(variables);
  } catch (cause) {
    const text = `${messageOf(cause)} (worker-vars, or [vars] in ${file})`;
    throw new ConfigError(text, { cause });
  }
}

function requireFittingPlace(settings: DeploySettings, bridge: "durable" | "stateless"): void {
  const { placement } = settings;
  if (bridge === "stateless" && settings["location-hint"] !== undefined) {
    const text = "Cannot use location-hint with the stateless bridge: it places Durable Objects";
    throw new ConfigError(`${text}, use placement`);
  }
  if (bridge === "durable" && placement !== undefined && placement !== "off") {
    const text = "Cannot use placement with the durable bridge: its Durable Object does the work";
    throw new ConfigError(`${text}, use location-hint`);
  }
}

function placementOf(placement: string): object {
  return placement.includes(":") ? { region: placement } : { mode: placement };
}

function isBridges({ name, class_name }: { name: string; class_name: string }): boolean {
  return name === BINDING.name && class_name === BINDING.class_name;
}

function ownTemplate(): string {
  const manifest = findPackageJSON(import.meta.url);
  if (manifest === undefined) throw new Error("Cannot find the folder of this package");
  return join(dirname(manifest), "wrangler.toml");
}
