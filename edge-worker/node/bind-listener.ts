import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type Address, parseAddress } from "../../protocol/address.ts";
import { listenOn } from "../../protocol/node/http-server.ts";
import { TcpChannel } from "../../protocol/node/tcp-channel.ts";
import type { Listening } from "../egress/egress.ts";
import type { Policy } from "../policy/policy.ts";
import { failureOf } from "./node-failure.ts";
import { resolveName } from "./node-resolver.ts";

/** Listens for one TCP connection from `peer` (RFC 1928 section 4, BIND). */
export async function listenForPeer(
  peer: Address,
  policy: Policy,
  signal: AbortSignal,
): Promise<Listening> {
  const expected = peer.kind === "name" ? await resolveName(peer, policy) : peer;
  const isAnybody = ["0.0.0.0", "::"].includes(expected.host);
  const family = expected.kind === "ipv6" ? "::" : "0.0.0.0";
  // Before there is a server that would have to be closed: no route to the peer is told here.
  const host = isAnybody ? family : await localAddressTowards(expected).catch(fail);
  const accepted = Promise.withResolvers<{ channel: TcpChannel; peer: Address }>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const from = addressOf(socket);
    // RFC 1928: "expected to evaluate the DST.ADDR": everybody else is shut out.
    if (!isAnybody && from.host !== expected.host) return void socket.resetAndDestroy();
    server.close();
    accepted.resolve({ channel: new TcpChannel(socket), peer: from });
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
