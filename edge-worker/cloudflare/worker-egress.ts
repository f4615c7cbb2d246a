import { connect } from "cloudflare:sockets";
import { type Address, UNSPECIFIED } from "../../protocol/address.ts";
import { diagnose, type NameCheck } from "../egress/diagnosis.ts";
import { createDohResolver } from "../egress/doh-resolver.ts";
import type { Fetch } from "../egress/dns-client.ts";
import type { Connection, Egress } from "../egress/egress.ts";
import { createNameCheck } from "../egress/name-check.ts";
import { SocketChannel } from "./socket-channel.ts";

/**
 * TCP by connect(), and DNS over HTTPS. Names are resolved by the platform, so the bridge's question to the policy
 * about the name is the only one; a dial cannot be aborted, only left behind.
 */
export function createWorkerEgress(resolverUrl: string, fetcher?: Fetch): Egress {
  const nameExists = createNameCheck(resolverUrl, fetcher);
  return {
    connect: (target) => dial(target, nameExists),
    ...createDohResolver(resolverUrl, fetcher),
  };
}

async function dial(target: Address, nameExists: NameCheck): Promise<Connection> {
  const startedAt = Date.now();
  const hostname = target.kind === "ipv6" ? `[${target.host}]` : target.host;
  const options = { allowHalfOpen: true, secureTransport: "off" as const };
  try {
    const socket = connect({ hostname, port: target.port }, options);
    // Rejects along with `opened`, and on every later reset; both are heard of elsewhere.
    socket.closed.catch(() => {});
    // A failed dial looks like a clean end of `readable`: only `opened` tells.
    await socket.opened;
    // `opened` echoes our own string as the remote address: there is nothing true to bind to.
    return { channel: new SocketChannel(socket), bound: UNSPECIFIED };
  } catch (cause) {
    throw await diagnose(target, Date.now() - startedAt, cause, nameExists);
  }
}
