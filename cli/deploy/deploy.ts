import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { greetEdge } from "../../protocol/node/greet-edge.ts";
import { loadWorkerBundle } from "../../edge-worker/node/worker-bundle.ts";
import { Admission } from "../../protocol/admission.ts";
import { ConfigError, EdgesocksError, messageOf } from "../../protocol/errors.ts";
import type { Hello } from "../../protocol/hello.ts";
import type { Log } from "../../protocol/log.ts";
import { nodeClock } from "../../protocol/node/node-clock.ts";
import { createLog } from "../logger.ts";
import { askHealth, awaitEdge } from "./await-edge.ts";
import { newestDateOf, requireKnownDate } from "./compatibility-date.ts";
import { edgeOf, healthPageOf } from "./deployed-url.ts";
import { drainEdge } from "./drain-edge.ts";
import { formatDryRun, MAX_BUNDLE } from "./dry-run-report.ts";
import {
  findWrangler,
  reasonOfFailure,
  runWrangler,
  type WranglerOptions,
  type WranglerRun,
} from "./wrangler.ts";
import { type Key, keysOf, withUpstreams, type WorkerKeys } from "./worker-keys.ts";
import {
  BUNDLE,
  type DeploySettings,
  planWorker,
  readTemplate,
  type WorkerPlan,
} from "./worker-plan.ts";

/** How long one run of wrangler may take: an upload, and a question. */
const UPLOAD_MS = 600_000;
const ASK_MS = 60_000;
/** How long /healthz may take to answer. */
const HEALTH_MS = 10_000;

/** What all steps work with. */
interface Deployment {
  readonly settings: DeploySettings;
  readonly plan: WorkerPlan;
  readonly keys: WorkerKeys;
  readonly newestDate: string | undefined;
  readonly wrangler: WranglerOptions;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Where wrangler.json and the bundle are; it is there only while this command runs. */
  readonly folder: string;
}

/** `edgesocks deploy`: puts the Worker up through wrangler, and looks whether it lets us in. */
export async function deploy(settings: DeploySettings, signal: AbortSignal): Promise<void> {
  const log = createLog(settings);
  const plan = planWorker(readTemplate(settings["wrangler-config"]), settings);
  const keys = withUpstreams(keysOf(settings, plan, Date.now()), settings.upstreams);
  const places = [fileURLToPath(import.meta.url), join(process.cwd(), "package.json")];
  const program = findWrangler(process.env["PATH"] ?? "", places);
  const newestDate = newestDateOf([program.file, ...places.slice(0, 1)]);
  requireKnownDate(plan.compatibilityDate, newestDate, new Date().toISOString().slice(0, 10));
  const { hidden } = keys;
  const wrangler = { program, environment: process.env, hidden, log, signal };
  const folder = await mkdtemp(join(tmpdir(), "edgesocks-deploy-"));
  try {
    await writeFile(join(folder, BUNDLE), await loadWorkerBundle());
    await writeFile(join(folder, "wrangler.json"), JSON.stringify(plan.config, null, 2));
    const parts = { settings, plan, keys, newestDate, wrangler, log, signal, folder };
    // Only a dry run has no key of its own.
    await (settings["dry-run"] || !keys.own ? tryOut(parts) : putUp(parts, keys.own));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function tryOut(deployment: Deployment): Promise<void> {
  const { settings, plan, folder, keys, newestDate } = deployment;
  const outdir = join(folder, "out");
  await run(deployment, "bundle the Worker", {
    args: ["deploy", "--dry-run", "--outdir", outdir],
    timeoutMs: UPLOAD_MS,
  });
  const bundle = await readFile(join(outdir, BUNDLE));
  process.stdout.write(
    formatDryRun({
      plan,
      bundle,
      secrets: Object.keys(keys.secrets).filter((name) => keys.secrets[name] !== null),
      newestDate,
      healthTimeoutMs: settings["health-timeout"],
    }),
  );
  if (bundle.length > MAX_BUNDLE) {
    throw new EdgesocksError("ERR_DEPLOY", "Cannot deploy the Worker: it is larger than 64 MiB");
  }
}

async function putUp(deployment: Deployment, own: Key): Promise<void> {
  const { settings, folder, keys, log } = deployment;
  await requireLogin(deployment);
  await drainOld(deployment);
  const outputFile = join(folder, "output.ndjson");
  const lines = await run(deployment, "put up the Worker", {
    args: ["deploy"],
    variables: { WRANGLER_OUTPUT_FILE_PATH: outputFile },
    timeoutMs: UPLOAD_MS,
  });
  const output = existsSync(outputFile) ? await readFile(outputFile, "utf8") : "";
  const edge = edgeOf(settings, output, lines);
  if (Object.keys(keys.secrets).length > 0) {
    // After the Worker, so that there is one to hold it. Until then, nobody is let in.
    await run(deployment, "put the secret", {
      args: ["secret", "bulk"],
      input: JSON.stringify(keys.secrets),
      timeoutMs: UPLOAD_MS,
    });
  }
  if (!edge) {
    const text =
      "Cannot tell where the Worker is reached: wrangler did not say. Give it by --worker-url";
    throw new EdgesocksError("ERR_DEPLOY", text);
  }
  const hello = await seeIt(deployment, edge, own);
  log.info(`The Worker is up at ${edge.href}`, { runtime: hello.runtime, place: hello.place });
  process.stdout.write(formatNextStep(edge, deployment, own));
}

/** Lets connections end that the new version would cut. Without an answer it goes on all the same. */
async function drainOld({ settings, keys, log, signal }: Deployment): Promise<void> {
  const drainMs = settings["drain-timeout"];
  const edge = edgeOf(settings, "", []);
  if (drainMs === 0) return;
  if (!edge) {
    return log.info(
      "Connections by an older version are cut: only --worker-url or --domain says where it is",
    );
  }
  log.info(`Agents at ${edge.href} have ${drainMs / 1000} s to leave it`);
  let cut = 0;
  // Once for each reason: that of all keys is mostly the same.
  const reasons = new Set<string>();
  await Promise.all(
    keys.good.map(async ({ id, secret }) => {
      try {
        const count = await drainEdge(edge, new Admission(id, secret), drainMs, signal);
        cut += count;
      } catch (error) {
        reasons.add(messageOf(error));
      }
    }),
  );
  signal.throwIfAborted();
  for (const reason of reasons) log.info(`Agents could not be asked to leave: ${reason}`);
  if (cut > 0) log.warn(`${cut} agents still had connections by the older version`);
}

/** Says what to do, where wrangler itself would speak of tokens. @throws ConfigError */
async function requireLogin({ wrangler }: Deployment): Promise<void> {
  const { code, lines } = await runWrangler(wrangler, {
    args: ["whoami", "--json"],
    isQuiet: true,
    timeoutMs: ASK_MS,
  });
  // Anything else is no reason to stop here: a token may deploy, and yet not be let to ask who it is.
  if (code === 0 || !/"loggedIn": ?false/.test(lines.join(" "))) return;
  const ways = "npx wrangler login, or set CLOUDFLARE_API_TOKEN";
  throw new ConfigError(`Cannot deploy: you are not logged in to Cloudflare. Run ${ways}`);
}

/** The lines of a run of wrangler that went well. @throws EdgesocksError ERR_DEPLOY for others */
async function run(
  { wrangler, folder, signal }: Deployment,
  what: string,
  options: WranglerRun,
): Promise<readonly string[]> {
  const config = ["--config", join(folder, "wrangler.json")];
  const outcome = await runWrangler(wrangler, { ...options, args: [...options.args, ...config] });
  signal.throwIfAborted();
  if (outcome.code === 0) return outcome.lines;
  const text = `Cannot ${what} by wrangler ${options.args[0]}: ${reasonOfFailure(outcome)}`;
  throw new EdgesocksError("ERR_DEPLOY", text);
}

function seeIt(
  { settings, log, signal }: Deployment,
  edge: URL,
  { id, secret }: Key,
): Promise<Hello> {
  const admission = new Admission(id, secret);
  const probe = {
    health: (signal: AbortSignal) => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(HEALTH_MS)]);
      return askHealth(healthPageOf(edge), limit);
    },
    greet: (signal: AbortSignal) => greetEdge(edge, admission, nodeClock, signal),
  };
  const timeoutMs = settings["health-timeout"];
  return awaitEdge(probe, { clock: nodeClock, log, timeoutMs, signal, edge: edge.href });
}

function formatNextStep(edge: URL, { settings }: Deployment, { id }: Key): string {
  const file = settings["secret-file"];
  const keyId = id === "default" ? "" : ` --key-id ${id}`;
  const secretFile = file === undefined ? "" : ` --secret-file ${file}`;
  return `The Worker is up and lets you in. Start the agent on your machine:

  edgesocks agent --edge ${edge.href}${keyId}${secretFile}

It needs the same secret, by --secret-file FILE, by the variable EDGESOCKS_SECRET, or by the key
secret in edgesocks.toml. The line edge = "${edge.href}" in that file saves you the flag.
`;
}
