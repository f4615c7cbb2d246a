import { type Address, formatAddress } from "../../../protocol/address.ts";
import type { ByteChannel } from "../../../protocol/channel.ts";
import type { Clock } from "../../../protocol/clock.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { withDeadline } from "../deadline.ts";
import { TcpResolver } from "./tcp-resolver.ts";

/** Opens a TCP connection; the signal ends the attempt where the platform can. */
export type DialTcp = (target: Address, signal: AbortSignal) => Promise<ByteChannel>;

/** Resolvers that are connected at once. */
const MAX_CONNECTIONS = 32;
const DIAL_TIMEOUT_MS = 5000;

/** The connections of an edge to DNS resolvers, one to each that is in use (RFC 7766 section 6.2.1). */
export class TcpResolvers {
  readonly #clock: Clock;
  readonly #dial: DialTcp;
  readonly #open = new Map<string, TcpResolver>();

  constructor(clock: Clock, dial: DialTcp) {
    this.#clock = clock;
    this.#dial = dial;
  }

  get connectionCount(): number {
    return this.#open.size;
  }

  /**
   * The response of a resolver, at an address that passed the policy. A connection that had served
   * before may have been closed meanwhile: then the query goes once more, by a fresh one.
   *
   * @throws StreamError when there is none
   */
  async ask(resolver: Address, query: Uint8Array): Promise<Uint8Array> {
    const key = formatAddress(resolver);
    const used = this.#open.get(key);
    if (!used) return this.#connect(resolver, key).ask(query);
    try {
      return await used.ask(query);
    } catch (error) {
      if (this.#open.get(key) === used) throw error;
    }
    return (this.#open.get(key) ?? this.#connect(resolver, key)).ask(query);
  }

  #connect(resolver: Address, key: string): TcpResolver {
    if (this.#open.size >= MAX_CONNECTIONS) this.#closeAnIdleOne();
    const { signal } = new AbortController();
    const dialling = withDeadline(
      this.#clock,
      DIAL_TIMEOUT_MS,
      signal,
      (ending) => this.#dial(resolver, ending),
      (late) => late.abort(new StreamError("cancelled", "The resolver answered too late")),
    );
    const connection = new TcpResolver(this.#clock, dialling);
    this.#open.set(key, connection);
    connection.onceClosed(() => {
      if (this.#open.get(key) === connection) this.#open.delete(key);
    });
    return connection;
  }

  #closeAnIdleOne(): void {
    for (const connection of this.#open.values()) {
      if (connection.inFlight === 0) return connection.close();
    }
    const text = `Cannot ask the resolver: ${MAX_CONNECTIONS} others are being asked`;
    throw new StreamError("quota-exceeded", text);
  }
}
