import type { Address } from "../../protocol/address.ts";
import { type ByteChannel, relay } from "../../protocol/channel.ts";
import type { Clock } from "../../protocol/clock.ts";
import { HandshakeError, messageOf, reasonOf, StreamError } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import type { Session } from "../../protocol/session.ts";
import type { Stream } from "../../protocol/stream.ts";
import { Command } from "../../protocol/wire.ts";
import type { Metrics } from "../observe/metrics.ts";
import { drive, ExactReader, type Handshake } from "./handshake.ts";
import type { ClientRequest } from "./request.ts";
import { SOCKS4_VERSION, socks4 } from "./socks4.ts";
import { SOCKS5_VERSION, socks5 } from "./socks5.ts";
import type { Users } from "./users.ts";

export interface FrontDoorOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly users: Users;
  readonly handshakeTimeoutMs: number;
  /** A session to open streams in, or StreamError "edge-unavailable". */
  readonly session: () => Promise<Session>;
}

/** How long a client may take to close after a failure reply (RFC 1928 section 6: 10 s at most). */
const LINGER_MS = 5000;

/** A stream that the edge has answered. */
interface Opened {
  readonly stream: Stream;
  readonly bound: Address;
  /** What the client sent behind its request and the OPEN had no room for. */
  readonly rest: Uint8Array;
}

/** Serves the clients of a listening port, one `serve()` each. */
export class FrontDoor {
  readonly #options: FrontDoorOptions;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
  }

  /** From the first byte to the end of the connection. Never rejects. */
  async serve(client: ByteChannel): Promise<void> {
    const { log, metrics } = this.#options;
    metrics.clientCame();
    try {
      const reader = new ExactReader(client);
      const request = await this.#shakeHands(client, reader);
      await this.#handle(request, client, reader.rest);
    } catch (error) {
      metrics.clientFailed(error);
      if (error instanceof HandshakeError) log.warn("A client was turned away", because(error));
      else log.debug("A client's connection broke", because(error));
      await this.#closeGently(client);
    } finally {
      metrics.clientLeft();
    }
  }

  async #shakeHands(client: ByteChannel, reader: ExactReader): Promise<ClientRequest> {
    const { clock, handshakeTimeoutMs, users } = this.#options;
    const cancelTimer = clock.after(handshakeTimeoutMs, () => {
      const text = `Cannot finish the handshake: nothing within ${handshakeTimeoutMs / 1000} s`;
      client.abort(new HandshakeError("ERR_HANDSHAKE_TIMEOUT", text));
    });
    try {
      const [version = -1] = await reader.exactly(1);
      return await drive(handshakeOf(version, users), client, reader);
    } finally {
      cancelTimer();
    }
  }

  async #handle(request: ClientRequest, client: ByteChannel, early: Uint8Array): Promise<void> {
    const { metrics } = this.#options;
    let opened: Opened;
    try {
      opened = await this.#open(request, client, early);
    } catch (error) {
      const reason = reasonOf(error);
      metrics.requestFailed(reason);
      this.#options.log.debug("A request failed", because(error));
      await client.write(request.replies.failure(reason));
      return this.#closeGently(client);
    }
    metrics.streamOpened();
    const totals = { leftToRight: early.length, rightToLeft: 0 };
    try {
      await client.write(request.replies.success(opened.bound));
      await opened.stream.write(opened.rest);
      await relay(client, opened.stream, totals);
    } catch (error) {
      opened.stream.abort(error);
      client.abort(error);
      throw error;
    } finally {
      metrics.streamClosed(totals);
    }
  }

  async #open(request: ClientRequest, client: ByteChannel, early: Uint8Array): Promise<Opened> {
    const { command, address } = request;
    if (command !== Command.Connect) {
      throw new StreamError("command-unsupported", `Cannot serve command ${command}`);
    }
    const session = await this.#options.session();
    const { stream, sent } = session.open(command, address, early);
    // A client that breaks off does not wait for the answer, nor must the edge go on dialling.
    client.onceFailed((reason) => stream.abort(reason));
    return { stream, bound: await stream.answer(), rest: early.subarray(sent) };
  }

  /** Ends our half and waits for the client's: an RST at once could overtake the reply. */
  async #closeGently(client: ByteChannel): Promise<void> {
    const gone = new StreamError("cancelled", "The client did not close in time");
    const cancelTimer = this.#options.clock.after(LINGER_MS, () => client.abort(gone));
    try {
      await client.end();
      while ((await client.read()) !== null);
    } catch {
      // The client broke off first, which is just as well.
    } finally {
      cancelTimer();
      client.abort(gone);
    }
  }
}

function because(error: unknown): { reason: string } {
  return { reason: messageOf(error) };
}

/** The parser for what begins with this byte. */
function handshakeOf(firstByte: number, users: Users): Handshake<ClientRequest> {
  switch (firstByte) {
    case SOCKS5_VERSION:
      return socks5(users);
    case SOCKS4_VERSION:
      return socks4(users);
    default: {
      const text = `Cannot begin a handshake: the first byte is ${firstByte}, not 4 or 5`;
      throw new HandshakeError("ERR_HANDSHAKE", text);
    }
  }
}
