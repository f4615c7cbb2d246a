import { type Address, formatAddress } from "../../../protocol/address.ts";
import type { Cancel } from "../../../protocol/clock.ts";
import { messageOf } from "../../../protocol/errors.ts";
import type { Family, Outlet, OutletEvents } from "../outlet.ts";
import { ChannelNumbers } from "./channel-numbers.ts";
import { attributeOf, StunAttribute, type StunMessage, StunMethod } from "./stun-message.ts";
import {
  decodeXorAddress,
  encodeChannelNumber,
  encodeXorAddress,
  StunTransport,
} from "./stun-values.ts";
import { openAllocation, type TurnAllocation } from "./turn-allocation.ts";
import type { TurnServer } from "./turn-server.ts";

/** Permissions last 5 minutes (RFC 8656 section 9), channels 10: both are renewed before. */
const RENEW_MS = 4 * 60_000;
/** Bytes of datagrams that wait for the server to let their peers in; more are dropped. */
const MAX_WAITING_BYTES = 65_536;
const OVERHEAD_BYTES = 64;
/** How long a server that could not be had, and a peer that it refused, are left alone. */
const RETRY_MS = 5000;

type PeerState = "asking" | "permitted" | "bound" | "refused";

interface Peer {
  readonly address: Address;
  state: PeerState;
  channel: number | undefined;
  waiting: Uint8Array[];
  refusedAt: number;
}

/**
 * A UDP relay at a TURN server as the way out of an association. The first datagrams to a peer wait
 * for its permission, the next go as Send indications, and all others by a channel.
 */
export class TurnOutlet implements Outlet {
  readonly #server: TurnServer;
  readonly #events: OutletEvents;
  readonly #peers = new Map<string, Peer>();
  readonly #peerByChannel = new Map<number, Address>();
  readonly #channels: ChannelNumbers;
  readonly #ending = new AbortController();
  readonly #allocation: Promise<TurnAllocation>;
  #open: TurnAllocation | undefined;
  #waitingBytes = 0;
  #cancelRenewal: Cancel = () => {};
  #cancelRetry: Cancel = () => {};
  #isBroken = false;

  constructor(server: TurnServer, family: Family, events: OutletEvents) {
    this.#server = server;
    this.#events = events;
    this.#channels = new ChannelNumbers(server.clock);
    this.#allocation = this.#allocate(family);
    // Those who wait for it hear of it; nobody else needs to.
    this.#allocation.catch((error: unknown) => this.#break(messageOf(error)));
  }

  /** Resolves once the server relays. @throws StreamError */
  async ready(): Promise<void> {
    await this.#allocation;
  }

  send(to: Address, bytes: Uint8Array): boolean {
    if (this.#isBroken || this.#isClosed) return false;
    const peer = this.#peerAt(to);
    switch (peer.state) {
      case "bound":
        return this.#open?.connection.sendChannelData(peer.channel ?? 0, bytes) ?? false;
      case "permitted":
        return this.#indicate(to, bytes);
      case "asking":
        return this.#keep(peer, bytes);
      case "refused":
        return false;
    }
  }

  forget(peer: Address): void {
    const key = formatAddress(peer);
    const known = this.#peers.get(key);
    if (known) this.#drop(known);
    this.#peers.delete(key);
  }

  close(): void {
    this.#ending.abort();
    this.#cancelRenewal();
    this.#cancelRetry();
    this.#peers.clear();
    this.#allocation.then(
      (allocation) => allocation.close(),
      () => {},
    );
  }

  get #isClosed(): boolean {
    return this.#ending.signal.aborted;
  }

  async #allocate(family: Family): Promise<TurnAllocation> {
    const events = {
      indication: (message: StunMessage) => this.#takeIndication(message),
      channelData: (channel: number, bytes: Uint8Array) => {
        const from = this.#peerByChannel.get(channel);
        if (from) this.#events.take(from, bytes);
      },
      lost: (reason: Error) => this.#break(reason.message),
    };
    const { signal } = this.#ending;
    const { Udp } = StunTransport;
    const allocation = await openAllocation(this.#server, Udp, family, events, signal);
    this.#open = allocation;
    if (!this.#isClosed) this.#renewLater();
    return allocation;
  }

  /** Drops everything for a while, so that a server that is down is not dialled for each datagram. */
  #break(reason: string): void {
    if (this.#isBroken || this.#isClosed) return;
    this.#isBroken = true;
    this.#server.log.warn("A relay at the TURN server ended", { reason });
    this.#cancelRenewal();
    this.#peers.clear();
    this.#open?.close();
    this.#cancelRetry = this.#server.clock.after(RETRY_MS, () => this.#events.ended());
  }

  #peerAt(address: Address): Peer {
    const key = formatAddress(address);
    const known = this.#peers.get(key);
    const now = this.#server.clock.now();
    if (known && !(known.state === "refused" && known.refusedAt + RETRY_MS <= now)) return known;
    const peer: Peer = {
      address,
      state: "asking",
      channel: undefined,
      waiting: [],
      refusedAt: 0,
    };
    this.#peers.set(key, peer);
    void this.#admit(peer);
    return peer;
  }

  #keep(peer: Peer, bytes: Uint8Array): boolean {
    const cost = bytes.length + OVERHEAD_BYTES;
    if (this.#waitingBytes + cost > MAX_WAITING_BYTES) return false;
    this.#waitingBytes += cost;
    // The memory is the caller's.
    peer.waiting.push(bytes.slice());
    return true;
  }

  /** Gets a peer its permission, sends what waited for that, and then gets it a channel. */
  async #admit(peer: Peer): Promise<void> {
    try {
      const allocation = await this.#allocation;
      await allocation.permit(peer.address);
      // Forgotten, or all is over.
      if (this.#peers.get(formatAddress(peer.address)) !== peer) return;
      peer.state = "permitted";
      for (const bytes of this.#drop(peer)) this.#indicate(peer.address, bytes);
    } catch {
      peer.state = "refused";
      peer.refusedAt = this.#server.clock.now();
      this.#drop(peer);
      return;
    }
    await this.#bind(peer).catch(() => {
      // No channel, so Send indications it is: the permission is there.
    });
  }

  /** RFC 8656 section 12.1. Installs or renews the permission as well. */
  async #bind(peer: Peer): Promise<void> {
    const channel = this.#channels.reserve(formatAddress(peer.address));
    const { connection } = await this.#allocation;
    if (channel === undefined) return;
    // Before the answer: data by the channel may overtake nothing, but come right behind it.
    this.#peerByChannel.set(channel, peer.address);
    await connection.request("relay", StunMethod.ChannelBind, (transactionId) => [
      { type: StunAttribute.ChannelNumber, value: encodeChannelNumber(channel) },
      {
        type: StunAttribute.XorPeerAddress,
        value: encodeXorAddress(peer.address, transactionId),
      },
    ]);
    peer.channel = channel;
    if (peer.state === "permitted") peer.state = "bound";
  }

  #renewLater(): void {
    this.#cancelRenewal = this.#server.clock.after(RENEW_MS, () => {
      for (const peer of this.#peers.values()) void this.#renew(peer);
      this.#renewLater();
    });
  }

  async #renew(peer: Peer): Promise<void> {
    try {
      if (peer.state === "permitted") await (await this.#allocation).permit(peer.address);
      if (peer.state === "permitted" || peer.state === "bound") await this.#bind(peer);
    } catch {
      // The next datagram asks from the beginning.
      this.forget(peer.address);
    }
  }

  #indicate(to: Address, bytes: Uint8Array): boolean {
    const attributes = (transactionId: Uint8Array) => [
      { type: StunAttribute.XorPeerAddress, value: encodeXorAddress(to, transactionId) },
      { type: StunAttribute.Data, value: bytes },
    ];
    return this.#open?.connection.indicate(StunMethod.Send, attributes) ?? false;
  }

  #takeIndication(message: StunMessage): void {
    if (message.method !== StunMethod.Data) return;
    const from = attributeOf(message, StunAttribute.XorPeerAddress);
    const bytes = attributeOf(message, StunAttribute.Data);
    if (from && bytes) this.#events.take(decodeXorAddress(from, message.transactionId), bytes);
  }

  /** What waited for a peer, which waits no more. */
  #drop(peer: Peer): readonly Uint8Array[] {
    const { waiting } = peer;
    peer.waiting = [];
    for (const bytes of waiting) this.#waitingBytes -= bytes.length + OVERHEAD_BYTES;
    return waiting;
  }
}
