import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { url as inspectorUrl } from "node:inspector";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as v from "valibot";
import { ConfigError } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import {
  type ListenEndpoint,
  prepareSocketPath,
  removeStaleSocket,
} from "../../protocol/node/listening.ts";
import { nodeOutbound, type Outbound } from "../egress/outbound.ts";
import type { TurnSettings } from "../egress/turn/turn-server.ts";
import { type AccessEntries, parseAccess } from "../users/access.ts";
import { parseUpstreams, type UpstreamEntries } from "../egress/upstream/upstream-settings.ts";
import { hasIpv6 } from "./has-ipv6.ts";
import { serveNameService } from "./name-service.ts";
import { type Resumption, resumptionDefaults } from "../limits.ts";
import { portOf, type RunningEdge } from "./serve.ts";
import { type RunnerService, serveRunner } from "./runner-service.ts";
import { loadWorkerBundle } from "./worker-bundle.ts";
import { formatWorkerdConfig } from "./workerd-config.ts";
import {
  CONTROL_FD,
  INSPECTOR_ARGS,
  watchWorkerd,
  type WorkerdProcess,
} from "./workerd-process.ts";

export interface WorkerdEdgeOptions {
  /** At least one; port 0 takes any free one. */
  readonly listen: readonly ListenEndpoint[];
  readonly access: AccessEntries;
  /** Where the Durable Objects keep their storage; without it, it ends with the process. */
  readonly stateFolder?: string;
  readonly allowPrivate: boolean;
  readonly connectTimeoutMs: number;
  readonly maxDials: number;
  readonly resumption?: Resumption;
  readonly bridge: "durable" | "stateless";
  /** Streams of one carrier of the stateless bridge. */
  readonly maxOpens?: number;
  /** MiB of payload of one, both ways. */
  readonly maxMebibytes?: number;
  /** Seconds that one may serve. */
  readonly maxAgeSeconds?: number;
  /** Ways out behind this edge. */
  readonly upstreams?: UpstreamEntries;
  /** False to have the Worker behave as at Cloudflare, which keeps it off its own ranges. */
  readonly reachesCloudflare?: boolean;
  /** workerdOutbound, unless the operator says otherwise. */
  readonly outbound?: Outbound;
  readonly log: Log;
}

/** What workerd may take to end by itself after its bridges have. */
const EXIT_MS = 1000;

/** A Worker that was told nothing: it has no sockets for datagrams, but DNS goes by TCP. */
export const workerdOutbound: Outbound = { ...nodeOutbound, udp: "dns" };

/** The path of the workerd binary; undefined where the package is not installed. */
export function findWorkerd(): string | undefined {
  try {
    return v.parse(WORKERD, createRequire(import.meta.url)("workerd")).default;
  } catch {
    return undefined;
  }
}

/** What the package exports: the path of its binary. */
const WORKERD = v.object({ default: v.string() });

/** Runs the Worker on workerd, as Cloudflare would. @throws ConfigError when it does not start */
export async function serveWorkerdEdge(options: WorkerdEdgeOptions): Promise<RunningEdge> {
  const binary = findWorkerd();
  if (binary === undefined) {
    throw new ConfigError("Cannot run workerd: it is not installed (npm install workerd)");
  }
  // The Worker would only say so in its log, and admit nobody.
  parseAccess(options.access);
  parseUpstreams(options.upstreams ?? []);
  let child: ChildProcess | undefined;
  const folder = await mkdtemp(join(tmpdir(), "edgesocks-"));
  const runnerPath = join(folder, "runner.sock");
  const [names, runner] = await Promise.all([
    serveNameService(),
    serveRunner(runnerPath, options.access),
  ]);
  // An exit that does not wait (a second signal, a crash) must leave neither process nor files.
  const abandon = (): void => {
    child?.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", abandon);
  const clean = async (): Promise<void> => {
    process.off("exit", abandon);
    names.close();
    runner.close();
    for (const endpoint of options.listen) {
      if ("path" in endpoint) await removeStaleSocket(endpoint.path);
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await writeFile(join(folder, "worker.js"), await loadWorkerBundle());
    const stateFolder = resolve(options.stateFolder ?? join(folder, "state"));
    await mkdir(stateFolder, { recursive: true, mode: 0o700 });
    const outbound = { ...(options.outbound ?? workerdOutbound) };
    if (outbound.dnsUrls.length === 0) outbound.dnsUrls = [names.url];
    const trusted = readTrusted(process.env["NODE_EXTRA_CA_CERTS"]);
    const made = { stateFolder, runnerPath, outbound, trusted, hasIpv6: hasIpv6() };
    const resumption = options.resumption ?? resumptionDefaults;
    const config = await formatWorkerdConfig({ ...options, ...made, resumption });
    await writeFile(join(folder, "config.capnp"), config);
    for (const endpoint of options.listen) {
      if ("path" in endpoint) await prepareSocketPath(endpoint.path);
    }
    child = spawnWorkerd(binary, folder, { ...options, turn: outbound.turn });
    const workerd = watchWorkerd(child, options.listen, options.log);
    const listen = await workerd.listening;
    return {
      port: portOf(listen),
      listen,
      listenPlain: [],
      admin: undefined,
      failed: workerd.exited.then((how) => new Error(`Cannot go on: workerd has ended (${how})`)),
      reload: (access) => {
        parseAccess(access);
        runner.replace(access);
      },
      renew: async () => {},
      stop: (drainMs) => stopWorkerd(workerd, runner, drainMs).then(clean),
    };
  } catch (error) {
    child?.kill("SIGKILL");
    await clean();
    throw error;
  }
}

/** Certificates that are trusted beside the usual ones, as Node itself reads them. */
function readTrusted(file: string | undefined): readonly string[] {
  if (file === undefined || file === "") return [];
  try {
    return readFileSync(file, "utf8").match(CERTIFICATE) ?? [];
  } catch {
    // Node has warned about it when it started.
    return [];
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n?/g;

/** What a Worker is told that has secrets. */
interface WorkerSecrets extends Pick<WorkerdEdgeOptions, "upstreams"> {
  readonly turn: TurnSettings | undefined;
}

/** What has secrets goes by the environment: a file or a command line could be read by others. */
function spawnWorkerd(
  binary: string,
  folder: string,
  { upstreams = [], turn }: WorkerSecrets,
): ChildProcess {
  const credentials = turn && { TURN_USERNAME: turn.username, TURN_PASSWORD: turn.password };
  // Who inspects this process (node --inspect) wants to see the Worker, too.
  const inspector = inspectorUrl() === undefined ? [] : INSPECTOR_ARGS;
  return spawn(binary, ["serve", "config.capnp", `--control-fd=${CONTROL_FD}`, ...inspector], {
    cwd: folder,
    env: {
      UPSTREAMS: JSON.stringify(upstreams),
      ...credentials,
    },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
}

/**
 * On SIGTERM workerd closes its listeners, and ends once its WebSockets have ended. It tells the Worker nothing: the
 * notice does, and the bridges ask their agents to leave. What lasts longer is cut.
 */
async function stopWorkerd(
  { child, exited }: WorkerdProcess,
  runner: RunnerService,
  drainMs: number,
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  runner.stop(drainMs);
  const cut = setTimeout(() => child.kill("SIGKILL"), drainMs + EXIT_MS);
  await exited;
  clearTimeout(cut);
}
