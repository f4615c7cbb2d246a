import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import * as v from "valibot";
import { ConfigError } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import { type AccessEntries, parseAccess } from "../users/access.ts";
import { parseUpstreams, type UpstreamEntries } from "../egress/upstream/upstream-settings.ts";
import { hasIpv6 } from "./has-ipv6.ts";
import { serveNameService } from "./name-service.ts";
import type { RunningEdge } from "./serve.ts";
import { loadWorkerBundle } from "./worker-bundle.ts";
import { formatWorkerdConfig } from "./workerd-config.ts";

export interface WorkerdEdgeOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly access: AccessEntries;
  /** Where the Durable Objects keep their storage; without it, it ends with the process. */
  readonly stateFolder?: string;
  readonly allowPrivate: boolean;
  readonly connectTimeoutMs: number;
  readonly maxDials: number;
  readonly bridge: "durable" | "stateless";
  /** Ways out behind this edge. */
  readonly upstreams?: UpstreamEntries;
  /** False to have the Worker behave as at Cloudflare, which keeps it off its own ranges. */
  readonly reachesCloudflare?: boolean;
  readonly log: Log;
}

/** Where workerd reports the port it listens on. */
const CONTROL_FD = 3;

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
  const names = await serveNameService();
  // An exit that does not wait (a second signal, a crash) must leave neither process nor files.
  const abandon = (): void => {
    child?.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", abandon);
  const clean = async (): Promise<void> => {
    process.off("exit", abandon);
    names.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await writeFile(join(folder, "worker.js"), await loadWorkerBundle());
    const stateFolder = resolve(options.stateFolder ?? join(folder, "state"));
    await mkdir(stateFolder, { recursive: true, mode: 0o700 });
    const config = await formatWorkerdConfig({
      ...options,
      stateFolder,
      dnsUrl: names.url,
      hasIpv6: hasIpv6(),
    });
    await writeFile(join(folder, "config.capnp"), config);
    const started = spawnWorkerd(binary, folder, options);
    child = started;
    const port = await portOf(started, options);
    return {
      host: options.host,
      port,
      reload: () => {
        const text = "Cannot take other keys and rules: the Worker has them from its start";
        throw new ConfigError(`${text}. Restart the edge`);
      },
      failed: once(started, "exit").then(() => new Error("workerd has ended by itself")),
      stop: (drainMs) => stopWorkerd(started, drainMs).then(clean),
    };
  } catch (error) {
    await clean();
    throw error;
  }
}

/** What has secrets goes by the environment: a file or a command line could be read by others. */
function spawnWorkerd(
  binary: string,
  folder: string,
  { access, upstreams = [] }: Pick<WorkerdEdgeOptions, "access" | "upstreams">,
): ChildProcess {
  return spawn(binary, ["serve", "config.capnp", `--control-fd=${CONTROL_FD}`], {
    cwd: folder,
    env: { EDGESOCKS_KEYS: JSON.stringify(access.keys), UPSTREAMS: JSON.stringify(upstreams) },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
}

/** The port workerd listens on. Its output goes to our log; the last line tells why it failed. */
async function portOf(
  child: ChildProcess,
  { host, port: wanted, log }: WorkerdEdgeOptions,
): Promise<number> {
  let lastLine = "";
  for (const output of [child.stdout, child.stderr]) {
    if (!output) continue;
    createInterface({ input: output }).on("line", (line) => {
      lastLine = line;
      log.info(`workerd: ${line}`);
    });
  }
  const control = createInterface({ input: child.stdio[CONTROL_FD] as Readable });
  const exited = once(child, "exit").then(() => {
    if (lastLine.includes("Address already in use")) {
      throw new ConfigError(`Cannot listen on ${host}:${wanted}: the port is in use`);
    }
    const why = lastLine === "" ? `exit code ${child.exitCode}` : lastLine;
    throw new ConfigError(`Cannot start workerd: ${why}`);
  });
  const listening = (async () => {
    for await (const line of control) {
      const message: unknown = JSON.parse(line);
      if (isListening(message)) return message.port;
    }
    return exited;
  })();
  const port = await Promise.race([listening, exited]);
  // From here on an exit is either asked for or told by the carrier that breaks.
  exited.catch(() => {});
  return port;
}

function isListening(message: unknown): message is { event: "listen"; port: number } {
  return (
    typeof message === "object" &&
    message !== null &&
    "event" in message &&
    "port" in message &&
    message.event === "listen" &&
    typeof message.port === "number"
  );
}

/** workerd ends its listeners on SIGTERM and waits for requests; what lasts longer is cut. */
async function stopWorkerd(child: ChildProcess, drainMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const cut = setTimeout(() => child.kill("SIGKILL"), drainMs);
  await exited;
  clearTimeout(cut);
}
