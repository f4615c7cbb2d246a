import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { object, parse, string } from "valibot";
import { makeCertificates } from "../certificates.ts";
import {
  BULK_TOPICS,
  GROWTH_TOPICS,
  LINK_TOPICS,
  LOOPBACK_TOPICS,
  RESUMPTION_TOPICS,
  type Topic,
} from "../measure/topics.ts";
import { freePort } from "../ports.ts";
import { firstLine, missingProgram } from "../programs.ts";
import type { Worker, Workshop } from "../workshop.ts";
import { missingNginx, nginxVersion, startTlsFront } from "./nginx.ts";
import type { Reach, Running, Subject } from "./subject.ts";

const ROOT = join(import.meta.dirname, "../..");
const COMMAND = join(ROOT, "bin/edgesocks.js");
const OPENSSL = { command: "openssl", debianPackage: "openssl" };
/** More than the 10,000 sessions that are measured. */
const MAX_CLIENTS = "16384";

const FULL: readonly Topic[] = [
  ...LOOPBACK_TOPICS,
  "still",
  ...LINK_TOPICS,
  ...RESUMPTION_TOPICS,
  "growth-sessions",
  ...GROWTH_TOPICS,
];
const TLS: readonly Topic[] = [...BULK_TOPICS, "sessions"];

/** Who takes TLS off, if anybody. */
type Encryption = "none" | "edge" | "nginx";

type Setup = Readonly<{
  about: string;
  runtime: "node" | "workerd";
  topics: readonly Topic[];
  encryption?: Encryption;
  agentFlags?: readonly string[];
  edgeFlags?: readonly string[];
}>;

/** The project itself, agent and edge in a process each, the edge on Node. */
export const edgesocksNode = edgesocks("edgesocks-node", {
  about: "this project, the edge on Node",
  runtime: "node",
  topics: [...FULL, "udp"],
});

/** The same with the edge as it is at Cloudflare. */
export const edgesocksWorkerd = edgesocks("edgesocks-workerd", {
  about: "this project, the edge on workerd",
  runtime: "workerd",
  topics: FULL,
});

/** Over wss://, with TLS taken off by the edge. */
export const edgesocksNodeTls = edgesocks("edgesocks-node-tls", {
  about: "edgesocks-node over wss://",
  runtime: "node",
  topics: TLS,
  encryption: "edge",
});

/** Over wss://, with TLS taken off by nginx, as workerd is not told to here. */
export const edgesocksWorkerdTls = edgesocks("edgesocks-workerd-tls", {
  about: "edgesocks-workerd over wss://, with nginx in front of it",
  runtime: "workerd",
  topics: TLS,
  encryption: "nginx",
});

/** Success is answered before the edge has said so, where that went well a short while ago. */
export const edgesocksAdaptive = edgesocks("edgesocks-adaptive", {
  about: "edgesocks-node with open = adaptive",
  runtime: "node",
  topics: ["first-byte"],
  agentFlags: ["--open", "adaptive"],
});

const UNRESUMED = { topics: ["resumption"], edgeFlags: ["--resume-window", "0"] } as const;

/** Sessions end with their carrier: what resumption costs is the difference. */
export const edgesocksNodeUnresumed = edgesocks("edgesocks-node-unresumed", {
  about: "edgesocks-node without resumption",
  runtime: "node",
  ...UNRESUMED,
});

/** The same on workerd. */
export const edgesocksWorkerdUnresumed = edgesocks("edgesocks-workerd-unresumed", {
  about: "edgesocks-workerd without resumption",
  runtime: "workerd",
  ...UNRESUMED,
});

function edgesocks(name: string, setup: Setup): Subject {
  const { about, topics, encryption = "none" } = setup;
  return {
    name,
    about,
    topics,
    missing: () => missingFor(setup),
    version: () => (encryption === "nginx" ? `${version()}, ${nginxVersion()}` : version()),
    async start(workshop, reach) {
      const secret = { EDGESOCKS_SECRET: randomBytes(32).toString("base64url") };
      const edge = await startEdge(workshop, reach, setup, secret);
      const proxyPort = await freePort();
      const most = ["--max-clients", MAX_CLIENTS, "--max-clients-per-address", MAX_CLIENTS];
      const listen = ["--listen", `127.0.0.1:${proxyPort}`, ...most];
      const args = [COMMAND, "agent", ...listen, "--edge", edge.url, ...(setup.agentFlags ?? [])];
      const variables = { ...secret, ...edge.agentVariables };
      const agent = workshop.start("agent", process.execPath, args, variables);
      await workshop.untilPrinted(agent, "ready ");
      const serverPids = edge.workers.map(({ pid }) => pid);
      return { proxyPort, clientPids: [agent.pid], serverPids } satisfies Running;
    },
  };
}

type RunningEdge = Readonly<{
  url: string;
  workers: readonly Worker[];
  agentVariables: Readonly<Record<string, string>>;
}>;

async function startEdge(
  workshop: Workshop,
  reach: Reach,
  { runtime, encryption = "none", edgeFlags = [] }: Setup,
  secret: Readonly<Record<string, string>>,
): Promise<RunningEdge> {
  const chain = encryption === "none" ? undefined : makeCertificates(workshop);
  const port = await freePort();
  const { certificateFile = "", keyFile = "" } = chain?.server ?? {};
  const tls = encryption === "edge" ? ["--tls-cert", certificateFile, "--tls-key", keyFile] : [];
  const where = ["--listen", `127.0.0.1:${port}`, "--allow-private", "--runtime", runtime];
  const args = [COMMAND, "edge", ...where, ...tls, ...edgeFlags];
  const edge = workshop.start("edge", process.execPath, args, secret);
  await workshop.untilPrinted(edge, "ready ");
  if (chain === undefined) {
    const url = `ws://127.0.0.1:${await reach(port)}/`;
    return { url, workers: [edge], agentVariables: {} };
  }
  const front =
    encryption === "nginx" ? await startTlsFront(workshop, port, chain.server) : undefined;
  return {
    url: `wss://127.0.0.1:${await reach(front?.port ?? port)}/`,
    workers: front === undefined ? [edge] : [edge, front.worker],
    agentVariables: { NODE_EXTRA_CA_CERTS: chain.authority.certificateFile },
  };
}

function missingFor({ encryption, agentFlags = [] }: Setup): string | undefined {
  if (!existsSync(COMMAND)) return "bin/edgesocks.js, which is not built";
  const [flag] = agentFlags;
  if (flag !== undefined && !agentHelp().includes(`${flag} `)) {
    return `flag ${flag} in this version of edgesocks`;
  }
  if (encryption === undefined) return undefined;
  return missingProgram([OPENSSL]) ?? (encryption === "nginx" ? missingNginx() : undefined);
}

function agentHelp(): string {
  return spawnSync(process.execPath, [COMMAND, "agent", "--help"], { encoding: "utf8" }).stdout;
}

function version(): string {
  const schema = object({ version: string() });
  const manifest = parse(schema, JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")));
  const commit = firstLine("git", ["-C", ROOT, "describe", "--always", "--dirty"]);
  return commit === undefined ? manifest.version : `${manifest.version} (${commit})`;
}
