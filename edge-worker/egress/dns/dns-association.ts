import { type Address } from "../../../protocol/address.ts";
import { MAX_DATAGRAM } from "../../../protocol/wire.ts";
import type { Policy } from "../../policy/policy.ts";
import type { Association, Deliver } from "../egress.ts";
import { decodeDnsMessage, type DnsMessage, RecordType, truncated } from "./dns-message.ts";
import type { Resolver } from "./resolver.ts";

/** The port of DNS, the only one that is relayed. */
const DNS_PORT = 53;
/** Queries of one association that have no answer yet. */
const MAX_IN_FLIGHT = 64;
/** RFC 1035 section 4.2.1: what a client takes that does not say more (RFC 6891 section 6.2.3). */
const PLAIN_UDP_SIZE = 512;

export interface DnsAssociationOptions {
  readonly policy: Policy;
  readonly deliver: Deliver;
  readonly resolver: Pick<Resolver, "resolve">;
  /** One exchange with the resolver at an address. */
  readonly ask: (resolver: Address, query: Uint8Array) => Promise<Uint8Array>;
}

/**
 * UDP for platforms that have none, as far as it is DNS: queries go to the very resolver that they
 * were sent to, by another way. All other datagrams are dropped and counted.
 */
export class DnsAssociation implements Association {
  readonly #options: DnsAssociationOptions;
  #inFlight = 0;
  #dropped = 0;
  #isClosed = false;

  constructor(options: DnsAssociationOptions) {
    this.#options = options;
  }

  get dropped(): number {
    return this.#dropped;
  }

  send(to: Address, bytes: Uint8Array): void {
    const size = udpSizeOf(bytes);
    const isServed = to.port === DNS_PORT && this.#inFlight < MAX_IN_FLIGHT && !this.#isClosed;
    if (!isServed || size === undefined) return void this.#dropped++;
    this.#inFlight++;
    // Copied: the memory is the caller's, and the answer takes its time.
    this.#relay(to, bytes.slice(), size)
      .catch(() => this.#dropped++)
      .finally(() => this.#inFlight--);
  }

  close(): void {
    this.#isClosed = true;
  }

  async #relay(to: Address, query: Uint8Array, size: number): Promise<void> {
    const { policy, resolver, ask, deliver } = this.#options;
    policy(to);
    const from = to.kind === "name" ? await resolver.resolve(to, policy) : to;
    const answer = await ask(from, query);
    if (this.#isClosed) return;
    // The client would lose the end of it; by TC it knows that, and asks again by TCP.
    deliver(from, answer.length > size ? truncated(answer) : answer);
  }
}

/** The longest response that the sender of a query takes; undefined for what is no query. */
function udpSizeOf(bytes: Uint8Array): number | undefined {
  let query: DnsMessage;
  try {
    query = decodeDnsMessage(bytes);
  } catch {
    return undefined;
  }
  if (query.isResponse) return undefined;
  // RFC 6891 section 6.1.2: the class of an OPT record is the size.
  const opt = query.additionals.find(({ type }) => type === RecordType.OPT);
  return Math.min(Math.max(opt?.class ?? 0, PLAIN_UDP_SIZE), MAX_DATAGRAM);
}
