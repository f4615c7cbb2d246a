import { randomBytes } from "node:crypto";
import { serveAgent } from "../../client-agent/node/serve-agent.ts";
import type { UpstreamEntries } from "../../edge-worker/egress/upstream/upstream-settings.ts";
import { serveEdge, type RunningEdge } from "../../edge-worker/node/serve.ts";
import { serveWorkerdEdge } from "../../edge-worker/node/serve-workerd.ts";
import { parseAddress } from "../../protocol/address.ts";
import { Admission } from "../../protocol/admission.ts";
import { Command } from "../../protocol/wire.ts";
import { agentSettings } from "./agent-settings.ts";
import { startFakeSocksServer } from "./fake-socks-server.ts";
import { edgeDoor } from "./edge-door.ts";
import { recordedLog } from "./log.ts";
import { connectRawAgent } from "./raw-agent.ts";
import { settled } from "./settled.ts";
import { readToEnd, socksConnect } from "./socks-client.ts";
import { closedPort, startTarget } from "./target.ts";

/*
 * To be run in a namespace where every address is this machine's own: asks edges for targets in
 * Cloudflare's ranges, and prints what came of it as JSON. site.test has to be 104.16.0.1.
 */

const secret = randomBytes(32).toString("base64url");
const nothing = new Uint8Array();
const ADDRESS = "104.16.0.1";

const direct = await startTarget((socket) => socket.end("directly"), "0.0.0.0");
const behind = await startTarget((socket) => socket.end("by the upstream"));
const proxy = await startFakeSocksServer(behind.port);
const closed = await closedPort();
const marked: UpstreamEntries = [{ url: `socks5://127.0.0.1:${proxy.port}`, for: "cloudflare" }];

/** What targets of an edge say, by "HOST:PORT", or why they cannot. */
async function ask(edge: RunningEdge, ...targets: readonly [string, number][]): Promise<string[]> {
  const url = new URL(`ws://127.0.0.1:${edge.port}/`);
  const agent = await connectRawAgent(url, new Admission("test", secret));
  const told: string[] = [];
  for (const [host, port] of targets) {
    const { stream } = agent.session.open(Command.Connect, parseAddress(host, port), nothing);
    const answer = await settled(stream.answer());
    if (answer instanceof Error) told.push(answer.message);
    else told.push(new TextDecoder().decode((await stream.read()) ?? nothing));
  }
  await agent.close();
  await edge.stop(0);
  return told;
}

const options = {
  ...edgeDoor,
  access: { keys: [{ id: "test", secret }], rules: [] },
  // The upstream is on loopback, which workerd's network must let out to.
  allowPrivate: true,
  connectTimeoutMs: 5000,
  maxDials: 5,
  log: recordedLog(),
};
const worker = (upstreams: UpstreamEntries, reachesCloudflare: boolean): Promise<RunningEdge> =>
  serveWorkerdEdge({ ...options, bridge: "durable", upstreams, reachesCloudflare });

/** What targets say to a client of an agent with a fallback, or the REP where it is refused. */
async function browse(
  first: RunningEdge,
  fallback: RunningEdge,
  ...targets: readonly [string, number][]
): Promise<string[]> {
  const urlOf = ({ port }: RunningEdge): URL => new URL(`ws://127.0.0.1:${port}/`);
  const agent = await serveAgent({
    ...agentSettings,
    edges: [urlOf(first)],
    fallbackEdges: [urlOf(fallback)],
    admission: new Admission("test", secret),
    log: recordedLog(),
  });
  const told: string[] = [];
  for (const [host, port] of targets) {
    const { socket, rep } = await socksConnect(agent.listen.port, host, port);
    told.push(rep === 0 ? (await readToEnd(socket)).toString() : `REP ${rep}`);
    socket.destroy();
  }
  await agent.stop(0);
  await fallback.stop(0);
  return told;
}

const plain = await worker([], false);
const outcome = {
  fallback: await browse(
    plain,
    // Reaches no private target: those are the first edge's.
    await serveEdge({ ...options, allowPrivate: false }),
    [ADDRESS, direct.port],
    ["127.0.0.1", direct.port],
    // Known by now, so the first edge is not asked.
    [ADDRESS, direct.port],
    [ADDRESS, closed],
  ),
  without: await ask(plain, [ADDRESS, direct.port], ["site.test", closed]),
  marked: await ask(
    await worker(marked, false),
    [ADDRESS, direct.port],
    ["site.test", closed],
    // Known by now, so its listener is not asked.
    ["site.test", direct.port],
    ["127.0.0.1", direct.port],
  ),
  elsewhere: await ask(await worker(marked, true), [ADDRESS, direct.port]),
  node: await ask(await serveEdge({ ...options, upstreams: marked }), [ADDRESS, direct.port]),
  asked: proxy.asked.map((target) => target.replace(/:\d+$/, "")),
};
process.stdout.write(JSON.stringify(outcome));
await Promise.all([direct, behind, proxy].map((it) => it.close()));
