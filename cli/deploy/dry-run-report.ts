import { gzipSync } from "node:zlib";
import type { WorkerPlan } from "./worker-plan.ts";

export interface DryRun {
  readonly plan: WorkerPlan;
  /** The code that would go up. */
  readonly bundle: Uint8Array;
  /** The names of those that would be put. */
  readonly secrets: readonly string[];
  /** The newest compatibility date that the installed workerd knows. */
  readonly newestDate: string | undefined;
  readonly healthTimeoutMs: number;
}

const KIB = 1024;
const MIB = 1024 * 1024;

/**
 * Since 2026-09-04 one limit holds for all plans, of the size before compression. Before, it was
 * 3 MB (Free) and 10 MB (Paid) after gzip.
 */
export const MAX_BUNDLE = 64 * MIB;
const FORMER_MAX_GZIP = { Free: 3 * MIB, Paid: 10 * MIB } as const;

/** What `edgesocks deploy --dry-run` says: what would be put up, and how. */
export function formatDryRun(run: DryRun): string {
  const { plan, newestDate } = run;
  const known = newestDate === undefined ? "no workerd to compare with" : `workerd: ${newestDate}`;
  const rows: readonly (readonly [string, string])[] = [
    ["Worker", plan.name],
    ["bundle", formatSize(run.bundle)],
    ["compatibility date", `${plan.compatibilityDate} (${known})`],
    ["reached at", plan.config["workers_dev"] === false ? "its routes" : workersDevOf(plan.name)],
    ...routesOf(plan).map((route) => ["route", route] as const),
    ["bridge", plan.bridge],
    ["placement", placementOf(plan)],
    ["binding", "BRIDGES, Durable Object of the class DurableBridge"],
    ...Object.entries(plan.variables).map(
      ([name, value]) => ["variable", `${name} = ${JSON.stringify(value)}`] as const,
    ),
    ["secret", secretsOf(run)],
  ];
  const width = Math.max(...rows.map(([title]) => title.length));
  return [
    "Dry run: nothing is put up.",
    "",
    ...rows.map(([title, text]) => `  ${title.padEnd(width)}  ${text}`),
    "",
    "Without --dry-run these would follow:",
    "",
    "  wrangler deploy",
    "  wrangler secret bulk, with the secret on its standard input",
    `  GET /healthz until it says "ok", at most ${run.healthTimeoutMs / 1000} s`,
    "  one WebSocket as an agent opens it, to see that the secret is taken",
    "",
  ].join("\n");
}

function formatSize(bundle: Uint8Array): string {
  const gzipped = gzipSync(bundle).length;
  const sizes = `${inKiB(bundle.length)}, ${inKiB(gzipped)} gzipped`;
  if (bundle.length > MAX_BUNDLE) return `${sizes}: more than the 64 MiB of any plan`;
  const former = Object.entries(FORMER_MAX_GZIP).map(
    ([name, limit]) => `${gzipped <= limit ? "within" : "above"} ${limit / MIB} MB for ${name}`,
  );
  const formerly = `gzipped it is ${former.join(" and ")}, the limits until 2026-09-04`;
  return `${sizes}: within 64 MiB, the limit of all plans (${formerly})`;
}

function inKiB(bytes: number): string {
  return `${(bytes / KIB).toFixed(1)} KiB`;
}

function workersDevOf(name: string): string {
  return `https://${name}.<your-subdomain>.workers.dev`;
}

function secretsOf({ secrets, plan }: DryRun): string {
  if (plan.hasStoredKeys && secrets.length === 0)
    return "none, the keys are in the KV namespace KEYS";
  return secrets.length > 0 ? secrets.join(", ") : "none yet, deploy needs one";
}

function placementOf({ config: { placement } }: WorkerPlan): string {
  return placement === undefined ? "left to Cloudflare" : JSON.stringify(placement);
}

function routesOf({ config }: WorkerPlan): string[] {
  const { routes } = config;
  return Array.isArray(routes) ? routes.map((route) => JSON.stringify(route)) : [];
}
