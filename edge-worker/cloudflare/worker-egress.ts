import { connect } from "cloudflare:sockets";
import { type Address, UNSPECIFIED } from "../../protocol/address.ts";
import { diagnose } from "../egress/diagnosis.ts";
import { DialQueue } from "../egress/dial-queue.ts";
import { createDohResolver } from "../egress/doh-resolver.ts";
import type { Connection, Egress } from "../egress/egress.ts";
import { createNameCheck } from "../egress/name-check.ts";
import { pinnedAddresses } from "../egress/pinned-addresses.ts";
import { SocketChannel } from "./socket-channel.ts";
import type { WorkerSettings } from "./worker-env.ts";

/**
 * TCP by connect(), and DNS over HTTPS. Names are resolved by the platform, unless a rule asks for
 * their addresses, so the bridge's question to the policy about the name is most often the only one
 * before a dial; a dial cannot be aborted, only left behind.
 */
export function createWorkerEgress(
  settings: Pick<WorkerSettings, "dnsUrl" | "fetcher" | "hasIpv6" | "maxDials">,
): Egress {
  const { dnsUrl, fetcher, hasIpv6, maxDials } = settings;
  const nameCheck = createNameCheck(dnsUrl, fetcher);
  const queue = new DialQueue(maxDials);
  return {
    connect: async (target, policy, signal, caller) => {
      const addresses = await pinnedAddresses(target, policy, nameCheck);
      let startedAt = Date.now();
      try {
        return await queue.run(caller, signal, () => {
          startedAt = Date.now();
          return dialFirst(addresses, signal);
        });
      } catch (cause) {
        // Nobody waits for the reason any more: no lookup for what an agent took back.
        signal.throwIfAborted();
        const elapsedMs = Date.now() - startedAt;
        throw await diagnose({ target, elapsedMs, cause }, { nameCheck, policy, hasIpv6 });
      }
    },
    ...createDohResolver(dnsUrl, fetcher),
  };
}

/** One after the other, in one slot: dials beside each other would each need one. */
async function dialFirst(addresses: readonly Address[], signal: AbortSignal): Promise<Connection> {
  let failure: unknown;
  for (const address of addresses) {
    signal.throwIfAborted();
    try {
      return await dial(address);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function dial(target: Address): Promise<Connection> {
  const hostname = target.kind === "ipv6" ? `[${target.host}]` : target.host;
  const options = { allowHalfOpen: true, secureTransport: "off" as const };
  const socket = connect({ hostname, port: target.port }, options);
  // Rejects along with `opened`, and on every later reset; both are heard of elsewhere.
  socket.closed.catch(() => {});
  // A failed dial looks like a clean end of `readable`: only `opened` tells.
  await socket.opened;
  // `opened` echoes our own string as the remote address: there is nothing true to bind to.
  return { channel: new SocketChannel(socket), bound: UNSPECIFIED };
}
