import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import ipaddr from "ipaddr.js";
import { type Address, parseAddress } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";
import { listenOn } from "../../protocol/node/http-server.ts";
import type { ReadMemory } from "../../protocol/node/read-memory.ts";
import { adoptSocket } from "../../protocol/node/socket-reader.ts";
import { TcpChannel } from "../../protocol/node/tcp-channel.ts";
import type { Resolver } from "../egress/dns/resolver.ts";
import { type Egress, isAnybody, type Listening } from "../egress/egress.ts";
import type { BindPlace } from "../egress/outbound.ts";
import type { Policy } from "../policy/policy.ts";
import { failureOf } from "./node-failure.ts";
import { ownAddress } from "./own-address.ts";

/**
 * BIND with sockets of this machine, at the place that its operator has set. `memory` is where calm
 * connections are read into.
 */
export function createListen(
  resolver: Pick<Resolver, "resolve">,
  place: BindPlace,
  memory: ReadMemory,
): NonNullable<Egress["listen"]> {
  return async (peer, policy, signal, latest) => {
    const expected = unmapped(peer.kind === "name" ? await resolver.resolve(peer, policy) : peer);
    // Before there is a server that would have to be closed: no route to the peer is told here.
    const host = place.host?.host ?? (await hostFor(expected, latest));
    return listenForPeer({ expected, host, ports: place.ports, policy, signal, memory });
  };
}

/** The address to tell: `latest` is our end of the connection that the client has made before. */
function hostFor(expected: Address, latest: Address | undefined): string | Promise<string> {
  if (!isAnybody(expected)) return localAddressTowards(expected).catch(fail);
  return addressForAnybody(expected, latest) ?? anyHost(expected);
}

interface Place {
  readonly expected: Address;
  readonly host: string;
  readonly ports: BindPlace["ports"];
  readonly policy: Policy;
  readonly signal: AbortSignal;
  readonly memory: ReadMemory;
}

/** Listens for one TCP connection from `expected` (RFC 1928 section 4, BIND). */
async function listenForPeer(place: Place): Promise<Listening> {
  const { expected, host, ports, policy, signal, memory } = place;
  const accepted = Promise.withResolvers<{ channel: TcpChannel; peer: Address }>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const from = addressOf(socket);
    // RFC 1928: "expected to evaluate the DST.ADDR": everybody else is shut out.
    if (!isExpected(from, expected, policy)) return void socket.resetAndDestroy();
    server.close();
    accepted.resolve({ channel: new TcpChannel(adoptSocket(socket, memory)), peer: from });
  });
  const port = await listenWithin(server, anyHost(expected), ports);
  const stop = (reason: unknown): void => {
    server.close();
    accepted.reject(reason);
  };
  server.on("error", (cause) => stop(failureOf("bind", cause)));
  signal.addEventListener("abort", () => stop(signal.reason));
  // While the name was resolved, say: then the signal will not tell again.
  if (signal.aborted) stop(signal.reason);
  // Awaited later; until then a rejection is nobody's fault.
  accepted.promise.catch(() => {});
  return { bound: parseAddress(host, port), accepted: accepted.promise };
}

/** Listens on a free port of the range; the search begins anywhere, so that BINDs do not meet. */
async function listenWithin(
  server: Server,
  family: string,
  ports: BindPlace["ports"],
): Promise<number> {
  if (!ports) return listenOn(server, family, 0).catch(fail);
  const [first, last] = ports;
  const count = last - first + 1;
  const start = randomInt(count);
  for (let tried = 0; tried < count; tried++) {
    const port = first + ((start + tried) % count);
    const isBusy = await listenOn(server, family, port).then(
      () => false,
      (cause: unknown) => isInUse(cause) || fail(cause),
    );
    if (!isBusy) return port;
  }
  throw new StreamError("quota-exceeded", "Cannot bind: every port for it is in use");
}

function isInUse(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
}

function anyHost({ kind }: Address): string {
  return kind === "ipv6" ? "::" : "0.0.0.0";
}

/** Whether it is the peer that was named; of anybody, whether it could have been. */
function isExpected(from: Address, expected: Address, policy: Policy): boolean {
  if (!isAnybody(expected)) return from.host === expected.host;
  try {
    policy(from);
    return true;
  } catch {
    return false;
  }
}

/**
 * The address to tell when the peer is not known. In active FTP it is the server of the connection
 * before, and that connects to where it saw this one come from.
 */
function addressForAnybody({ kind }: Address, latest: Address | undefined): string | undefined {
  const isKnown = latest?.kind === kind && !isAnybody(latest);
  return isKnown ? latest.host : ownAddress(kind === "ipv6" ? "ipv6" : "ipv4");
}

/** ::ffff:a.b.c.d as a.b.c.d, which is who comes: a socket tells an IPv4 peer as such. */
function unmapped(address: Address): Address {
  return address.kind === "ipv6"
    ? parseAddress(ipaddr.process(address.host).toString(), address.port)
    : address;
}

/** The address of this machine that `peer` would see. No packet is sent: UDP connect only routes. */
async function localAddressTowards(peer: Address): Promise<string> {
  const socket = createSocket(peer.kind === "ipv6" ? "udp6" : "udp4");
  try {
    socket.connect(peer.port === 0 ? 9 : peer.port, peer.host);
    await once(socket, "connect");
    return socket.address().address;
  } finally {
    socket.close();
  }
}

function addressOf(socket: Socket): Address {
  const { remoteAddress = "::", remotePort = 0 } = socket;
  // An IPv4 peer of an IPv6 socket; and the zone of a link-local one, which parseAddress() refuses.
  const host = remoteAddress.replace(/^::ffff:(?=\d+\.)/, "").replace(/%.*$/, "");
  return parseAddress(host, remotePort);
}

function fail(cause: unknown): never {
  throw failureOf("bind", cause);
}
