import { type Address, UNSPECIFIED } from "../../protocol/address.ts";
import type { ByteChannel, RelayTotals } from "../../protocol/channel.ts";
import { messageOf, reasonOf, StreamError } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import type { Stream } from "../../protocol/stream.ts";
import { Command } from "../../protocol/wire.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Clock } from "../../protocol/clock.ts";
import { KnownTargets } from "./known-targets.ts";
import type { ClientRequest } from "./request.ts";
import { isOfEdge, type OpenSession, type Way, Ways } from "./ways.ts";

/**
 * When the client of a CONNECT is told of success: once the target has answered ("honest"), at once
 * ("fast"), or at once for a target that answered of late ("adaptive"). What then fails breaks the
 * client's connection instead of refusing it, and saves a round trip to the edge otherwise.
 */
export type OpenMode = "honest" | "adaptive" | "fast";

export interface GatewayOptions {
  readonly clock: Clock;
  readonly open: OpenMode;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly session: OpenSession;
  /** The same at another edge, for what the first cannot do. */
  readonly fallback?: OpenSession | undefined;
}

/** A stream that the edge has answered, or is expected to. */
export interface Opened {
  readonly stream: Stream;
  /** UNSPECIFIED before the answer. */
  readonly bound: Address;
  /** What the client sent behind its request and the OPEN had no room for. */
  readonly rest: Uint8Array;
}

type Wanted = Pick<ClientRequest, "command" | "address" | "user">;
type Asker = Pick<ByteChannel, "onceFailed">;

const commands: ReadonlySet<number> = new Set(Object.values(Command));

/** Where every listener gets its streams, and where they are counted. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #known: KnownTargets;
  readonly #ways: Ways;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#known = new KnownTargets(options.clock);
    this.#ways = new Ways(options.clock, options.session, options.fallback);
  }

  /** Opens a stream for as long as `client` does not break. A failure is counted, then thrown. */
  async open(wanted: Wanted, client: Asker, early: Uint8Array): Promise<Opened> {
    try {
      const { command } = wanted;
      if (!commands.has(command)) {
        throw new StreamError("command-unsupported", `Cannot serve command ${command}`);
      }
      return await this.#openInTurn(wanted, client, early);
    } catch (error) {
      this.countFailure(error);
      throw error;
    }
  }

  /** By the first edge that can. @throws what says most: the last failure that is not about the way there */
  async #openInTurn(wanted: Wanted, client: Asker, early: Uint8Array): Promise<Opened> {
    let told: unknown;
    for (const way of this.#ways.of(wanted)) {
      const attempt = { hasSent: false };
      try {
        return await this.#openBy(way, wanted, client, early, attempt);
      } catch (error) {
        this.#ways.learn(wanted, error);
        if (!isOfEdge(error, attempt.hasSent)) throw error;
        if (told === undefined || reasonOf(error) !== "edge-unavailable") told = error;
      }
    }
    throw told;
  }

  async #openBy(
    way: Way,
    wanted: Wanted,
    client: Asker,
    early: Uint8Array,
    attempt: { hasSent: boolean },
  ): Promise<Opened> {
    const { command, address, user } = wanted;
    const session = await way.session(user);
    if (way.needs !== 0) requireUdp(session.remote.capabilities, way.needs);
    const { stream, sent } = session.open(command, address, early);
    attempt.hasSent = sent > 0;
    // A client that breaks off does not wait for the answer, nor must the edge go on dialling.
    client.onceFailed((reason) => stream.abort(reason));
    const rest = early.subarray(sent);
    const answer = command === Command.Connect ? this.#watch(address, stream) : stream.answer();
    if (!this.#isExpected(command, address)) return { stream, bound: await answer, rest };
    // The stream fails along with its answer, and takes the client's connection with it.
    answer.catch((error: unknown) => {
      this.#ways.learn(wanted, error);
      this.countFailure(error);
    });
    return { stream, bound: UNSPECIFIED, rest };
  }

  /** The answer to a CONNECT, from which is learnt what to expect the next time. */
  async #watch(address: Address, stream: Stream): Promise<Address> {
    if (this.#options.open !== "adaptive") return stream.answer();
    try {
      const bound = await stream.answer();
      this.#known.add(address);
      return bound;
    } catch (error) {
      this.#known.delete(address);
      throw error;
    }
  }

  /** Whether the client need not wait for the answer. */
  #isExpected(command: number, address: Address): boolean {
    if (command !== Command.Connect || this.#options.open === "honest") return false;
    return this.#options.open === "fast" || this.#known.has(address);
  }

  /** Counts a request that is answered with a failure. */
  countFailure(error: unknown): void {
    this.#options.metrics.requestFailed(reasonOf(error));
    this.#options.log.debug("A request failed", { reason: messageOf(error) });
  }

  /** Counts a stream for as long as `use` runs, and resets it when that fails. */
  async hold<Result>(
    stream: Stream,
    totals: RelayTotals,
    use: () => Promise<Result>,
  ): Promise<Result> {
    const { metrics } = this.#options;
    metrics.streamOpened();
    try {
      return await use();
    } catch (error) {
      stream.abort(error);
      throw error;
    } finally {
      metrics.streamClosed(totals);
    }
  }
}

/** The edge has said in its HELLO what it relays: there is no need to ask for what it does not. */
function requireUdp(capabilities: number, needs: number): void {
  if ((capabilities & needs) !== 0) return;
  throw new StreamError("command-unsupported", "Cannot relay UDP: the edge does not");
}
