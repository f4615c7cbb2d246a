import { agentSettings } from "./agent-settings.ts";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, isIP, type AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";
import { serveAgent } from "../../client-agent/node/serve-agent.ts";
import { serveEdge, type RunningEdge } from "../../edge-worker/node/serve.ts";
import { serveWorkerdEdge } from "../../edge-worker/node/serve-workerd.ts";
import { Admission } from "../../protocol/admission.ts";
import { forbiddenHosts, notHosts, privateNames, publicTargets } from "./forbidden-targets.ts";
import { edgeDoor } from "./edge-door.ts";
import { recordedLog } from "./log.ts";
import {
  httpStatus,
  nameBytes,
  octetsAsHost,
  openClient,
  socks4aReply,
  socks4Reply,
  socks5Reply,
  socks5Request,
  SocksCommand,
} from "./one-request.ts";
import { untilConnected } from "./connected.ts";

/*
 * The program that test/contract/forbidden.test.ts runs in a namespace of its own: an edge, an
 * agent and its clients, which ask for every forbidden target in every way there is. It judges
 * nothing: it prints what each was told, and what arrived.
 *
 *   node test/support/forbidden-probe.ts node|durable|stateless
 */

/** One request: how it was asked, for what, and the answer (REP, CD or status). */
export interface ProbeAnswer {
  readonly way: string;
  readonly host: string;
  readonly answer: number;
}

export interface ProbeReport {
  readonly answers: readonly ProbeAnswer[];
  /** Addresses that a TCP connection came in for. */
  readonly reached: readonly string[];
  /** Payloads of the datagrams that came in. */
  readonly datagrams: readonly string[];
}

const { Bind, Connect, Resolve, ResolvePtr, UdpAssociate } = SocksCommand;
const AT_ONCE = 16;

const secret = "a secret long enough";
const admission = new Admission("probe", secret);

function startEdge(runtime: string): Promise<RunningEdge> {
  const options = {
    ...edgeDoor,
    access: { keys: [{ id: "probe", secret }], rules: [] },
    allowPrivate: false,
    connectTimeoutMs: 10_000,
    maxDials: 64,
    log: recordedLog(),
  };
  if (runtime === "node") return serveEdge({ ...options });
  const bridge = runtime === "stateless" ? "stateless" : "durable";
  return serveWorkerdEdge({ ...options, bridge });
}

/** Listens at every address of this namespace, by TCP and UDP, at one port. */
async function listenEverywhere() {
  const reached: string[] = [];
  const datagrams: string[] = [];
  const server = createServer((socket) => {
    reached.push((socket.localAddress ?? "").replace(/^::ffff:/, ""));
    socket.on("error", () => {});
    socket.end();
  });
  server.listen(0, "::");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const udp = createSocket({ type: "udp6" });
  const arrived = Promise.withResolvers<void>();
  udp.on("message", (bytes) => {
    datagrams.push(String(bytes));
    if (String(bytes) === "public") arrived.resolve();
  });
  udp.bind(port, "::");
  await once(udp, "listening");
  return { port, reached, datagrams, arrived: arrived.promise, close: () => udp.close() };
}

const octetsOf = (host: string): number[] =>
  ipaddr.parse(host.replaceAll(/[[\]]/g, "")).toByteArray();
/** An address as it stands, without any disguise: it goes as ATYP 1 or 4, too. */
const isPlain = (host: string): boolean => isIP(host) !== 0 && !host.includes("%");
/** ipaddr.js reads ::a.b.c.d as another address. */
const isOctets = (host: string): boolean => isPlain(host) && !/^::\d+\./.test(host);

/** Every request for a host that is one question and one answer. */
function requestsFor(host: string, agent: number, port: number): [string, () => Promise<number>][] {
  const byName = nameBytes(host);
  const requests: [string, () => Promise<number>][] = [
    ["SOCKS5 CONNECT by name", () => socks5Reply(agent, Connect, byName, port)],
    ["SOCKS5 BIND by name", () => socks5Reply(agent, Bind, byName, port)],
    ["RESOLVE", () => socks5Reply(agent, Resolve, byName, 0)],
    ["SOCKS4a CONNECT", () => socks4aReply(agent, Connect, host, port)],
    ["SOCKS4a BIND", () => socks4aReply(agent, Bind, host, port)],
  ];
  if (isOctets(host)) {
    const octets = octetsAsHost(octetsOf(host));
    requests.push(
      ["SOCKS5 CONNECT by address", () => socks5Reply(agent, Connect, octets, port)],
      ["SOCKS5 BIND by address", () => socks5Reply(agent, Bind, octets, port)],
      ["RESOLVE_PTR", () => socks5Reply(agent, ResolvePtr, octets, 0)],
    );
  }
  // Of SOCKS4, 0.0.0.x with x not 0 is no address, but announces a name.
  if (isIP(host) === 4 && !/^0\.0\.0\.[^0]/.test(host)) {
    const octets = octetsOf(host);
    requests.push(
      ["SOCKS4 CONNECT", () => socks4Reply(agent, Connect, octets, port)],
      ["SOCKS4 BIND", () => socks4Reply(agent, Bind, octets, port)],
    );
  }
  // A request line is ASCII, without spaces.
  if (/^[!-~]+$/.test(host)) {
    const authority = `${isIP(host) === 6 && isPlain(host) ? `[${host}]` : host}:${port}`;
    requests.push(["HTTP CONNECT", () => httpStatus(agent, `CONNECT ${authority}`)]);
    // Of a URL, these end the host.
    if (!/[/?]/.test(host)) {
      requests.push(["HTTP GET", () => httpStatus(agent, `GET http://${authority}/`)]);
    }
  }
  return requests;
}

/** Sends a datagram to each host, then one to a public target, and waits for that. */
async function sendDatagrams(runtime: string, agent: number, port: number, arrived: Promise<void>) {
  const client = await openClient(agent);
  const anywhere = octetsAsHost([0, 0, 0, 0]);
  const { rep, boundPort } = await socks5Request(client, UdpAssociate, anywhere, 0);
  if (rep === 0) {
    const socket = createSocket("udp4");
    const send = (host: Uint8Array, payload: string): Promise<void> => {
      const header = [0, 0, 0, ...host, port >> 8, port & 0xff];
      const datagram = Uint8Array.of(...header, ...Buffer.from(payload));
      return new Promise((resolve) => {
        socket.send(datagram, boundPort, "127.0.0.1", () => resolve());
      });
    };
    const hosts = [...forbiddenHosts, ...privateNames].map(([host]) => host);
    for (const host of [...hosts, ...notHosts]) {
      await send(nameBytes(host), `forbidden ${host}`);
      if (isOctets(host)) await send(octetsAsHost(octetsOf(host)), `forbidden ${host}`);
    }
    // Behind all the others, name lookups included.
    await send(nameBytes("public.example"), "public");
    // A Worker relays DNS alone, so nothing arrives: it answers what is asked behind the datagrams.
    if (runtime === "node") await arrived;
    else await socks5Reply(agent, Resolve, nameBytes("public.example"), 0);
    socket.close();
  }
  client.destroy();
  return rep;
}

async function probe(runtime: string): Promise<ProbeReport> {
  const beyond = Object.keys(networkInterfaces()).filter((name) => name !== "lo");
  if (beyond.length > 0) throw new Error(`Cannot probe: ${beyond.join()} leads out of here`);
  const { port, reached, datagrams, arrived, close } = await listenEverywhere();
  const edge = await startEdge(runtime);
  const { log, connected } = untilConnected(recordedLog());
  const agent = await serveAgent({
    ...agentSettings,
    edges: [new URL(`ws://127.0.0.1:${edge.port}/`)],
    admission,
    log,
  });
  await connected;
  const clients = agent.listen.port;
  const hosts = [...forbiddenHosts, ...privateNames].map(([host]) => host);
  const waiting = [...hosts, ...notHosts]
    .flatMap((host) => requestsFor(host, clients, port).map((request) => ({ host, request })))
    .toReversed();
  for (const [host] of publicTargets) {
    const ask = (): Promise<number> => socks5Reply(clients, Connect, nameBytes(host), port);
    waiting.push({ host, request: ["public", ask] });
  }
  const answers: ProbeAnswer[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [way, ask] = next.request;
      answers.push({ way, host: next.host, answer: await ask() });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const udp = await sendDatagrams(runtime, clients, port, arrived);
  answers.push({ way: "UDP ASSOCIATE", host: "", answer: udp });
  await agent.stop(0);
  await edge.stop(0);
  close();
  return { answers, reached, datagrams };
}

const report = JSON.stringify(await probe(process.argv[2] ?? ""));
// What clients have left open is nobody's any more.
process.stdout.write(`${report}\n`, () => process.exit(0));
