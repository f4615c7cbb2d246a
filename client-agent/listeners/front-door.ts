import { type Address, UNSPECIFIED } from "../../protocol/address.ts";
import { type ByteChannel, relay } from "../../protocol/channel.ts";
import type { Clock } from "../../protocol/clock.ts";
import { HandshakeError, messageOf, reasonOf, StreamError } from "../../protocol/errors.ts";
import { replyTo } from "../../protocol/failure.ts";
import type { Log } from "../../protocol/log.ts";
import type { Session } from "../../protocol/session.ts";
import type { Stream } from "../../protocol/stream.ts";
import { Command } from "../../protocol/wire.ts";
import type { Metrics } from "../observe/metrics.ts";
import { drive, ExactReader } from "./handshake.ts";
import { encodeReply, encodeSuccess, SOCKS_VERSION, socks5, type SocksRequest } from "./socks5.ts";
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

  async #shakeHands(client: ByteChannel, reader: ExactReader): Promise<SocksRequest> {
    const { clock, handshakeTimeoutMs, users } = this.#options;
    const cancelTimer = clock.after(handshakeTimeoutMs, () => {
      const text = `Cannot finish the handshake: nothing within ${handshakeTimeoutMs / 1000} s`;
      client.abort(new HandshakeError("ERR_HANDSHAKE_TIMEOUT", text));
    });
    try {
      const [version] = await reader.exactly(1);
      if (version !== SOCKS_VERSION) {
        const text = `Cannot begin a handshake: the first byte is ${version}, not ${SOCKS_VERSION}`;
        throw new HandshakeError("ERR_HANDSHAKE", text);
      }
      return await drive(socks5(users), client, reader);
    } finally {
      cancelTimer();
    }
  }

  async #handle(request: SocksRequest, client: ByteChannel, early: Uint8Array): Promise<void> {
    const { metrics } = this.#options;
    let opened: { stream: Stream; bound: Address };
    try {
      opened = await this.#open(request, early);
    } catch (error) {
      const reason = reasonOf(error);
      metrics.requestFailed(reason);
      this.#options.log.debug("A request failed", because(error));
      await client.write(encodeReply(replyTo[reason].socks5, UNSPECIFIED));
      return this.#closeGently(client);
    }
    metrics.streamOpened();
    const totals = { leftToRight: early.length, rightToLeft: 0 };
    try {
      await client.write(encodeSuccess(opened.bound));
      await relay(client, opened.stream, totals);
    } catch (error) {
      opened.stream.abort(error);
      client.abort(error);
      throw error;
    } finally {
      metrics.streamClosed(totals);
    }
  }

  /** Opens the stream and hands over what the client sent behind its request. */
  async #open(
    request: SocksRequest,
    early: Uint8Array,
  ): Promise<{ stream: Stream; bound: Address }> {
    if (request.command !== Command.Connect) {
      const text = `Cannot serve command ${request.command}`;
      throw new StreamError("command-unsupported", text);
    }
    const session = await this.#options.session();
    const { stream, sent } = session.open(request.command, request.address, early);
    const bound = await stream.answer();
    await stream.write(early.subarray(sent));
    return { stream, bound };
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
