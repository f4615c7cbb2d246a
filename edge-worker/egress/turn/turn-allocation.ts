import type { Address } from "../../../protocol/address.ts";
import type { ByteChannel } from "../../../protocol/channel.ts";
import type { Cancel } from "../../../protocol/clock.ts";
import { StreamError } from "../../../protocol/errors.ts";
import type { Family } from "../outlet.ts";
import { type Attribute, attributeOf, StunAttribute, StunMethod } from "./stun-message.ts";
import {
  decodeU32,
  decodeXorAddress,
  encodeOctet,
  encodeU32,
  encodeXorAddress,
  StunFamily,
  type StunTransport,
} from "./stun-values.ts";
import { dialTurn, TurnConnection, type TurnEvents } from "./turn-connection.ts";
import type { TurnServer } from "./turn-server.ts";

/** What a relay is to do, by REQUESTED-TRANSPORT. */
export type Transport = (typeof StunTransport)[keyof typeof StunTransport];

/** Before a lifetime ends: enough for a request and its repetitions (RFC 8656 section 8). */
const REFRESH_AHEAD_MS = 60_000;
/** What a server may say at most: some say hours. */
const MAX_LIFETIME_MS = 3_600_000;

/**
 * An allocation at a TURN server, refreshed until it is closed. It has a connection of its own, so
 * that it ends with it, and so that IPv4 and IPv6 need no extension of the server.
 */
export class TurnAllocation {
  readonly connection: TurnConnection;
  readonly #server: TurnServer;
  #relayed: Address | undefined;
  #cancelRefresh: Cancel = () => {};
  #isClosed = false;

  constructor(server: TurnServer, channel: ByteChannel, events: TurnEvents) {
    this.#server = server;
    this.connection = new TurnConnection(server, channel, events);
  }

  /** Where peers reach the relay. */
  get relayed(): Address {
    if (this.#relayed) return this.#relayed;
    throw new StreamError("general", "Cannot tell the relay's address: nothing is allocated");
  }

  /** RFC 8656 section 7.2; RFC 6062 section 4.1 for TCP. @throws StreamError */
  async allocate(transport: Transport, family: Family): Promise<void> {
    const attributes: Attribute[] = [
      { type: StunAttribute.RequestedTransport, value: encodeOctet(transport) },
    ];
    // IPv4 is what a server gives that is not asked, and some know no other.
    if (family === 6) {
      const value = encodeOctet(StunFamily.Ipv6);
      attributes.push({ type: StunAttribute.RequestedAddressFamily, value });
    }
    const response = await this.connection.request("relay", StunMethod.Allocate, () => attributes);
    const relayed = attributeOf(response, StunAttribute.XorRelayedAddress);
    if (!relayed) {
      throw new StreamError("general", "Cannot relay at the TURN server: it told no address");
    }
    this.#relayed = decodeXorAddress(relayed, response.transactionId);
    this.#refreshIn(response);
  }

  /** Lets a peer's datagrams or connections in (RFC 8656 section 9). @throws StreamError */
  async permit(peer: Address): Promise<void> {
    await this.connection.request("relay", StunMethod.CreatePermission, (transactionId) => [
      { type: StunAttribute.XorPeerAddress, value: encodeXorAddress(peer, transactionId) },
    ]);
  }

  /** Gives the allocation back, and closes the connection once the server has heard of it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelRefresh();
    // Nothing is allocated that could be given back, and the request under way may take long.
    if (!this.#relayed) return this.connection.close();
    this.#refresh(0)
      // Its time will be up by itself.
      .catch(() => {})
      .finally(() => this.connection.close());
  }

  #refresh(lifetimeSeconds?: number) {
    const attributes =
      lifetimeSeconds === undefined
        ? []
        : [{ type: StunAttribute.Lifetime, value: encodeU32(lifetimeSeconds) }];
    return this.connection.request("relay", StunMethod.Refresh, () => attributes);
  }

  #refreshIn(response: Parameters<typeof attributeOf>[0]): void {
    if (this.#isClosed) return;
    const value = attributeOf(response, StunAttribute.Lifetime);
    const toldMs = value ? decodeU32(value) * 1000 : 0;
    const lifetimeMs = Math.min(toldMs, MAX_LIFETIME_MS);
    const inMs = Math.max(lifetimeMs - REFRESH_AHEAD_MS, lifetimeMs / 2, 1000);
    this.#cancelRefresh = this.#server.clock.after(inMs, () => {
      this.#refresh()
        .then((answer) => this.#refreshIn(answer))
        .catch((error: unknown) => this.connection.fail(error));
    });
  }
}

/** An allocation at the server, by a connection of its own. @throws StreamError */
export async function openAllocation(
  server: TurnServer,
  transport: Transport,
  family: Family,
  events: TurnEvents,
  signal: AbortSignal,
): Promise<TurnAllocation> {
  const channel = await dialTurn(server, signal);
  const allocation = new TurnAllocation(server, channel, events);
  try {
    await allocation.allocate(transport, family);
    return allocation;
  } catch (error) {
    allocation.close();
    throw error;
  }
}
