import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import ipaddr from "ipaddr.js";
import { type Address, parseAddress } from "../../protocol/address.ts";
import { listenOn } from "../../protocol/node/http-server.ts";
import { adoptSocket } from "../../protocol/node/socket-reader.ts";
import { TcpChannel } from "../../protocol/node/tcp-channel.ts";
import { isAnybody, type Listening } from "../egress/egress.ts";
import type { Policy } from "../policy/policy.ts";
import { failureOf } from "./node-failure.ts";
import { resolveName } from "./node-resolver.ts";
import { ownAddress } from "./own-address.ts";

/**
 * Listens for one TCP connection from `peer` (RFC 1928 section 4, BIND). `latest` is our end of the
 * connection that the client has made before.
 */
export async function listenForPeer(
  peer: Address,
  policy: Policy,
  signal: AbortSignal,
  shared: Uint8Array,
  latest?: Address,
): Promise<Listening> {
  const expected = unmapped(peer.kind === "name" ? await resolveName(peer, policy) : peer);
  const family = expected.kind === "ipv6" ? "::" : "0.0.0.0";
  // Before there is a server that would have to be closed: no route to the peer is told here.
  const host = isAnybody(expected)
    ? (addressForAnybody(expected, latest) ?? family)
    : await localAddressTowards(expected).catch(fail);
  const accepted = Promise.withResolvers<{ channel: TcpChannel; peer: Address }>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const from = addressOf(socket);
    // RFC 1928: "expected to evaluate the DST.ADDR": everybody else is shut out.
    if (!isExpected(from, expected, policy)) return void socket.resetAndDestroy();
    server.close();
    accepted.resolve({ channel: new TcpChannel(adoptSocket(socket, shared)), peer: from });
  });
  const port = await listenOn(server, family, 0).catch(fail);
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
