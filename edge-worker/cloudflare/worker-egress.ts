import { connect } from "cloudflare:sockets";
import { type Address, UNSPECIFIED } from "../../protocol/address.ts";
import { BusyMemory } from "../../protocol/busy-memory.ts";
import type { Log } from "../../protocol/log.ts";
import { diagnose } from "../egress/diagnosis.ts";
import { DialQueue } from "../egress/dial-queue.ts";
import { createCachedSource } from "../egress/dns/cached-source.ts";
import { dohEndpointOf } from "../egress/dns/cloudflare-resolvers.ts";
import { exchangeByHttps } from "../egress/dns/doh-client.ts";
import { createDohSource } from "../egress/dns/doh-source.ts";
import { createResolver, type Resolver } from "../egress/dns/resolver.ts";
import type { Connection, Egress } from "../egress/egress.ts";
import { pinnedAddresses } from "../egress/pinned-addresses.ts";
import { createUdpEgress } from "../egress/udp-egress.ts";
import type { Policy } from "../policy/policy.ts";
import { openSocket } from "./open-socket.ts";
import { SocketChannel } from "./socket-channel.ts";
import { turnServerOf } from "./turn-server.ts";
import { workerClock } from "./worker-clock.ts";
import type { WorkerSettings } from "./worker-env.ts";

/** The policy has let it through already. */
const settled: Policy = () => undefined;

/** Names by the resolvers of the settings, each answer kept for as long as it holds. */
export function createWorkerResolver({
  dnsUrls,
  fetcher,
}: Pick<WorkerSettings, "dnsUrls" | "fetcher">): Resolver {
  const source = createDohSource(dnsUrls, { clock: workerClock, fetcher });
  return createResolver(createCachedSource(source, workerClock));
}

/**
 * TCP by connect(), and DNS over HTTPS. Names are resolved by the platform, unless a rule asks for
 * their addresses, so the bridge's question to the policy about the name is most often the only one
 * before a dial; a dial cannot be aborted, only left behind.
 */
export function createWorkerEgress(settings: WorkerSettings, resolver: Resolver, log: Log): Egress {
  const { cloudflareDnsUrl, fetcher, hasIpv6, maxDials } = settings;
  const { nameCheck, resolve, reverse } = resolver;
  const queue = new DialQueue(maxDials);
  const busy = new BusyMemory();
  const dialTarget: Egress["connect"] = async (target, policy, signal, caller) => {
    const addresses = await pinnedAddresses(target, policy, nameCheck);
    let startedAt = Date.now();
    try {
      return await queue.run(caller, signal, () => {
        startedAt = Date.now();
        return dialFirst(addresses, signal, busy);
      });
    } catch (cause) {
      // Nobody waits for the reason any more: no lookup for what an agent took back.
      signal.throwIfAborted();
      const elapsedMs = Date.now() - startedAt;
      throw await diagnose({ target, elapsedMs, cause }, { nameCheck, policy, hasIpv6 });
    }
  };
  return {
    connect: dialTarget,
    resolve,
    reverse,
    ...createUdpEgress(settings, {
      clock: workerClock,
      resolver,
      // All resolvers together are one caller: they get a turn beside each session.
      dialTcp: async (to, signal) => (await dialTarget(to, settled, signal, resolver)).channel,
      askByHttps: (to) => {
        const url = dohEndpointOf(to, cloudflareDnsUrl);
        const options = { clock: workerClock, fetcher };
        return url === undefined ? undefined : (query) => exchangeByHttps(url, query, options);
      },
      turn: turnServerOf(settings, queue, log),
    }),
  };
}

/** One after the other, in one slot: dials beside each other would each need one. */
async function dialFirst(
  addresses: readonly Address[],
  signal: AbortSignal,
  busy: BusyMemory,
): Promise<Connection> {
  let failure: unknown;
  for (const address of addresses) {
    signal.throwIfAborted();
    try {
      const socket = await openSocket(connect, address, "off");
      // `opened` echoes our own string as the remote address: there is nothing true to bind to.
      return { channel: new SocketChannel(socket, busy), bound: UNSPECIFIED };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
