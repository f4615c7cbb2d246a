import { type Address, UNSPECIFIED } from "../../../protocol/address.ts";
import type { ByteChannel } from "../../../protocol/channel.ts";
import { type Clock, pause } from "../../../protocol/clock.ts";
import { messageOf, reasonOf, StreamError } from "../../../protocol/errors.ts";
import { withDeadline } from "../deadline.ts";
import type { Listening } from "../egress.ts";
import { familyOf } from "../outlet.ts";
import { attributeOf, StunAttribute, type StunMessage, StunMethod } from "./stun-message.ts";
import { decodeXorAddress, StunTransport } from "./stun-values.ts";
import { openAllocation, type TurnAllocation } from "./turn-allocation.ts";
import { openDataConnection } from "./turn-data-connection.ts";
import type { TurnServer } from "./turn-server.ts";

/** RFC 6062 section 4.3: the server waits 30 s for the ConnectionBind. */
const BIND_TIMEOUT_MS = 30_000;
/** How long what has been written may be on its way to the peer. */
const END_PAUSE_MS = 1000;

/**
 * BIND by a TURN server (RFC 6062): a relay that listens for the one peer that it permits, and a
 * connection of its own for that peer's bytes.
 *
 * @throws StreamError, "command-unsupported" when the server does not relay TCP
 */
export async function listenByTurn(
  server: TurnServer,
  peer: Address,
  signal: AbortSignal,
): Promise<Listening> {
  if (peer.host === UNSPECIFIED.host || peer.host === "::") {
    const text = "Cannot bind at the TURN server: it lets in no peer that is not named";
    throw new StreamError("address-unsupported", text);
  }
  const listener = new TurnListener(server, peer);
  return listener.listen(signal);
}

class TurnListener {
  readonly #server: TurnServer;
  readonly #peer: Address;
  readonly #accepted = Promise.withResolvers<{ channel: ByteChannel; peer: Address }>();
  #allocation: TurnAllocation | undefined;
  #channel: ByteChannel | undefined;
  #hasPeer = false;

  constructor(server: TurnServer, peer: Address) {
    this.#server = server;
    this.#peer = peer;
    // Awaited later; until then a rejection is nobody's fault.
    this.#accepted.promise.catch(() => {});
  }

  async listen(signal: AbortSignal): Promise<Listening> {
    const events = {
      indication: (message: StunMessage) => this.#takeIndication(message),
      channelData: () => {},
      lost: (reason: StreamError) => this.#stop(reason),
    };
    const family = familyOf(this.#peer);
    const { Tcp } = StunTransport;
    const allocation = await openAllocation(this.#server, Tcp, family, events, signal);
    this.#allocation = allocation;
    signal.addEventListener("abort", () => this.#stop(signal.reason));
    try {
      await allocation.permit(this.#peer);
      signal.throwIfAborted();
    } catch (error) {
      this.#stop(error);
      throw error;
    }
    return { bound: allocation.relayed, accepted: this.#accepted.promise };
  }

  /** RFC 6062 section 4.4: the server has taken a connection of the peer's. */
  #takeIndication(message: StunMessage): void {
    if (message.method !== StunMethod.ConnectionAttempt || this.#hasPeer) return;
    const id = attributeOf(message, StunAttribute.ConnectionId);
    const address = attributeOf(message, StunAttribute.XorPeerAddress);
    const allocation = this.#allocation;
    if (!allocation || !id || !address) return;
    const from = decodeXorAddress(address, message.transactionId);
    if (from.host !== this.#peer.host) return;
    this.#hasPeer = true;
    this.#bind(allocation, id.slice(), from).catch((error: unknown) => this.#stop(error));
  }

  async #bind(allocation: TurnAllocation, connectionId: Uint8Array, peer: Address): Promise<void> {
    const server = this.#server;
    const { credentials } = allocation.connection;
    const { signal } = new AbortController();
    const channel = await withDeadline(
      server.clock,
      BIND_TIMEOUT_MS,
      signal,
      (ending) => openDataConnection(server, credentials, connectionId, ending),
      (late) => late.abort(new StreamError("cancelled", "The data connection came too late")),
    );
    const held = this.#holding(channel);
    this.#channel = held;
    this.#accepted.resolve({ channel: held, peer });
  }

  /** The server ends data connections with their allocation: it is kept for as long as they last. */
  #holding(channel: ByteChannel): ByteChannel {
    return new HeldChannel(this.#server.clock, channel, () => this.#allocation?.close());
  }

  #stop(reason: unknown): void {
    this.#server.log.debug("A BIND at the TURN server ended", { reason: messageOf(reason) });
    this.#accepted.reject(reason);
    this.#channel?.abort(reason);
    this.#allocation?.close();
  }
}

/**
 * A data connection, with what coturn (seen in 4.6.1) makes of it. It knows no half-closed
 * connection and no orderly end: when one side has ended it resets both, and what has not been read
 * is lost. So a reset by the server is the end, and our own end waits for what is on its way.
 */
class HeldChannel implements ByteChannel {
  readonly #clock: Clock;
  readonly #channel: ByteChannel;
  readonly #release: () => void;
  #openSides = 2;
  #isReset = false;

  constructor(clock: Clock, channel: ByteChannel, release: () => void) {
    this.#clock = clock;
    this.#channel = channel;
    this.#release = release;
  }

  async read(): Promise<Uint8Array | null> {
    try {
      const chunk = await this.#channel.read();
      if (chunk !== null) return chunk;
    } catch (error) {
      if (reasonOf(error) !== "connection-reset") throw error;
      this.#isReset = true;
    }
    this.#sideEnded();
    return null;
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#channel.write(chunk);
  }

  async end(): Promise<void> {
    if (this.#openSides === 2) await pause(this.#clock, END_PAUSE_MS);
    if (!this.#isReset) await this.#channel.end();
    this.#sideEnded();
  }

  abort(reason: unknown): void {
    this.#channel.abort(reason);
    this.#release();
  }

  onceFailed(callback: (reason: unknown) => void): void {
    this.#channel.onceFailed((reason) => {
      if (reasonOf(reason) !== "connection-reset") return callback(reason);
      this.#isReset = true;
    });
  }

  #sideEnded(): void {
    if (--this.#openSides === 0) this.#release();
  }
}
