import type { ByteChannel } from "../../protocol/channel.ts";
import type { Cancel, Clock } from "../../protocol/clock.ts";
import {
  type FailureReason,
  HandshakeError,
  messageOf,
  reasonOf,
  StreamError,
} from "../../protocol/errors.ts";
import { ExactReader } from "../../protocol/exact-reader.ts";
import type { Log } from "../../protocol/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { FragmentLimits } from "./fragments.ts";
import type { Gate, Visit } from "./gate.ts";
import type { Gateway, Opened } from "./gateway.ts";
import { drive, type Handshake } from "./handshake.ts";
import type { Client, ClientRequest, HttpDoor, Tunnel } from "./request.ts";
import { SOCKS4_VERSION, socks4 } from "./socks4.ts";
import { SOCKS5_VERSION, socks5 } from "./socks5.ts";
import type { OpenUdp } from "./udp-relay.ts";
import { useStream } from "./use-stream.ts";
import type { Users } from "./users.ts";

export interface FrontDoorOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly users: Users;
  readonly handshakeTimeoutMs: number;
  readonly gate: Gate;
  readonly gateway: Gateway;
  readonly openUdp: OpenUdp;
  readonly fragmentLimits: FragmentLimits;
}

/** How long a client may take to close after a failure reply (RFC 1928 section 6: 10 s at most). */
const LINGER_MS = 5000;

/** SOCKS4 asks for one message: who is still at its NULs then has forgotten one. */
const SOCKS4_TIMEOUT_MS = 10_000;

/** Serves the clients of a listening port, one `serve()` each. */
export class FrontDoor {
  readonly #options: FrontDoorOptions;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
  }

  /**
   * From the first byte to the end of the connection. Never rejects. What begins like a method of
   * HTTP goes to `http`.
   */
  async serve(client: Client, http?: HttpDoor): Promise<void> {
    const { gate, metrics } = this.#options;
    const visit = gate.arrive(client.remoteHost, () => client.abort(crowdedOut()));
    metrics.clientCame();
    try {
      const reader = new ExactReader(client);
      const request = await this.#shakeHands(client, reader, visit, http !== undefined);
      const tunnel = request
        ? { request, client, early: reader.rest }
        : await http?.serve(reader.rest, () => this.#enter(visit));
      if (visit.isCrowdedOut) throw crowdedOut();
      const refusal = request && this.#enter(visit);
      if (request && refusal !== undefined) {
        await client.write(request.replies.failure(refusal));
        await this.#closeGently(client);
      } else if (tunnel) await this.#handle(tunnel);
    } catch (error) {
      // What the gate refuses is counted as a request, whatever its protocol throws to tell it.
      if (!visit.isRefused) this.#turnedAway(error);
      await this.#closeGently(client);
    } finally {
      metrics.clientLeft();
      visit.leave();
    }
  }

  #turnedAway(error: unknown): void {
    const { log, metrics } = this.#options;
    metrics.clientFailed(error);
    if (error instanceof HandshakeError) log.warn("A client was turned away", because(error));
    else log.debug("A client's connection broke", because(error));
  }

  /** The client has made its request. Gives why it is not served, as its protocol is to say it. */
  #enter(visit: Visit): FailureReason | undefined {
    const reason = visit.enter();
    if (reason !== undefined) {
      const refusal = new StreamError(reason, `Cannot serve the client: ${reason}`);
      this.#options.gateway.countFailure(refusal);
    }
    return reason;
  }

  /** What a SOCKS client wants; undefined for a client that speaks HTTP. */
  async #shakeHands(
    client: ByteChannel,
    reader: ExactReader,
    { isAllowed }: Visit,
    hasHttp: boolean,
  ): Promise<ClientRequest | undefined> {
    const { clock, handshakeTimeoutMs } = this.#options;
    const users = isAllowed ? this.#options.users : credulous(this.#options.users);
    const expireAfter = (limitMs: number): Cancel =>
      clock.after(limitMs, () => {
        const text = `Cannot finish the handshake: nothing within ${limitMs / 1000} s`;
        client.abort(new HandshakeError("ERR_HANDSHAKE_TIMEOUT", text));
      });
    let cancelTimer = expireAfter(handshakeTimeoutMs);
    try {
      if (isMethodLetter(await reader.peek()) && hasHttp) return undefined;
      const version = reader.u8();
      if (version === SOCKS4_VERSION) {
        cancelTimer();
        cancelTimer = expireAfter(Math.min(handshakeTimeoutMs, SOCKS4_TIMEOUT_MS));
      }
      const request = await drive(handshakeOf(version, users), client, reader);
      this.#logName(request);
      return request;
    } finally {
      cancelTimer();
    }
  }

  /** A SOCKS4 user id that nobody asked for may be NAME:PASSWORD, as other proxies want it. */
  #logName({ user }: ClientRequest): void {
    const [name] = user?.split(":") ?? [];
    if (name !== undefined) this.#options.log.debug("A user came", { user: name });
  }

  async #handle(tunnel: Tunnel): Promise<void> {
    const { gateway, metrics } = this.#options;
    const dropped = (direction: "up" | "down"): void => metrics.datagramDropped(direction);
    const udp = { ...this.#options, dropped };
    const { request, client, early } = tunnel;
    let opened: Opened;
    try {
      opened = await gateway.open(request, client, early);
    } catch (error) {
      await client.write(request.replies.failure(reasonOf(error)));
      return this.#closeGently(client);
    }
    const totals = { leftToRight: early.length - opened.rest.length, rightToLeft: 0 };
    try {
      const end = await gateway.hold(opened.stream, totals, () =>
        useStream(tunnel, opened, { udp, totals }),
      );
      if (end === "answered") await this.#closeGently(client);
    } catch (error) {
      client.abort(error);
      throw error;
    }
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

function crowdedOut(): HandshakeError {
  const text = "Cannot finish the handshake: too many others have begun theirs";
  return new HandshakeError("ERR_HANDSHAKE_CROWDED", text);
}

/** For a client that will be refused whatever it says: it can neither guess nor cost a hash. */
function credulous({ isRequired }: Users): Users {
  return { isRequired, verify: () => Promise.resolve("right") };
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

/** The methods of HTTP are words of capital letters (RFC 9110 section 9.1). */
function isMethodLetter(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}
