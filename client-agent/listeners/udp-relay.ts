import { type Address, UNSPECIFIED } from "../../protocol/address.ts";
import type { ByteChannel } from "../../protocol/channel.ts";
import type { Clock } from "../../protocol/clock.ts";
import type { Stream } from "../../protocol/stream.ts";
import { MAX_DATAGRAM } from "../../protocol/wire.ts";
import { type FragmentLimits, Fragments } from "./fragments.ts";
import { decodeUdpRequest, encodeUdpReply } from "./udp-header.ts";

/** A UDP socket of the platform, bound to one address of this machine. */
export interface UdpSocket {
  readonly bound: Address;
  /** Sends; false when too much waits and it is dropped. `bytes` is the socket's from then on. */
  send(to: Address, bytes: Uint8Array): boolean;
  close(): void;
}

/** Opens a socket on `host`; `take` gets each datagram, with bytes that are valid until it returns. */
export type OpenUdp = (
  host: string,
  take: (from: Address, bytes: Uint8Array) => void,
) => Promise<UdpSocket>;

export interface UdpRelayOptions {
  readonly clock: Clock;
  readonly stream: Stream;
  /** The client's TCP connection, with whose end the association ends (RFC 1928 section 7). */
  readonly client: ByteChannel;
  /** The IP address the client has connected from: nobody else's datagrams are taken. */
  readonly clientHost: string;
  /** DST of the request: the port the client will send from, 0 when it does not know yet. */
  readonly announced: Address;
  readonly fragmentLimits: FragmentLimits;
  /** Tells of a datagram for which there was no room on its way. */
  readonly dropped: (direction: "up" | "down") => void;
}

/** One UDP association: the port of its client here, the stream to the edge there. */
export class UdpRelay {
  readonly #options: UdpRelayOptions;
  readonly #fragments: Fragments;
  #socket: UdpSocket | undefined;
  /** Where the client sends from; fixed by its announcement or by its first datagram. */
  #clientAddress: Address | undefined;

  constructor(options: UdpRelayOptions) {
    this.#options = options;
    this.#fragments = new Fragments(options.clock, options.fragmentLimits);
    const { announced, clientHost } = options;
    if (announced.port !== 0) {
      this.#clientAddress = { ...UNSPECIFIED, host: clientHost, port: announced.port };
    }
  }

  /** Opens the client's port on `host`, an address that the client can reach. */
  async open(openUdp: OpenUdp, host: string): Promise<Address> {
    this.#socket = await openUdp(host, (from, bytes) => this.#takeFromClient(from, bytes));
    this.#options.stream.onDatagram((from, bytes) => this.#takeFromEdge(from, bytes));
    return this.#socket.bound;
  }

  /** Runs until the client's TCP connection or the stream has ended, then closes everything. */
  async run(): Promise<void> {
    const { client, stream } = this.#options;
    const failure = Promise.withResolvers<never>();
    for (const side of [client, stream]) side.onceFailed(failure.reject);
    try {
      await Promise.race([drained(client), drained(stream), failure.promise]);
      await stream.end();
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#fragments.abandon();
    this.#socket?.close();
  }

  #takeFromClient(from: Address, bytes: Uint8Array): void {
    if (!this.#isClient(from)) return;
    const request = decodeUdpRequest(bytes);
    const whole = request && this.#fragments.take(request);
    if (!whole || whole.bytes.length > MAX_DATAGRAM) return;
    const { stream, dropped } = this.#options;
    if (!stream.sendDatagram(whole.address, whole.bytes)) dropped("up");
  }

  #isClient(from: Address): boolean {
    if (from.host !== this.#options.clientHost) return false;
    this.#clientAddress ??= from;
    return from.port === this.#clientAddress.port;
  }

  #takeFromEdge(from: Address, bytes: Uint8Array): void {
    // Until the client has sent from somewhere, there is nowhere to send to.
    if (!this.#clientAddress || !this.#socket) return;
    const isSent = this.#socket.send(this.#clientAddress, encodeUdpReply(from, bytes));
    if (!isSent) this.#options.dropped("down");
  }
}

/** Reads to the end: the connection says nothing more, it only is. */
async function drained(channel: ByteChannel): Promise<void> {
  while ((await channel.read()) !== null);
}
