import type { Address } from "../../protocol/address.ts";
import type { ByteChannel, RelayTotals } from "../../protocol/channel.ts";
import { messageOf, reasonOf, StreamError } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import type { Session } from "../../protocol/session.ts";
import type { Stream } from "../../protocol/stream.ts";
import { Command } from "../../protocol/wire.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { ClientRequest } from "./request.ts";

export interface GatewayOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  /** A session to open a user's streams in, or StreamError "edge-unavailable". */
  readonly session: (user: string | undefined) => Promise<Session>;
}

/** A stream that the edge has answered. */
export interface Opened {
  readonly stream: Stream;
  readonly bound: Address;
  /** What the client sent behind its request and the OPEN had no room for. */
  readonly rest: Uint8Array;
}

const commands: ReadonlySet<number> = new Set(Object.values(Command));

/** Where every listener gets its streams, and where they are counted. */
export class Gateway {
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** Opens a stream for as long as `client` does not break. A failure is counted, then thrown. */
  async open(
    { command, address, user }: Pick<ClientRequest, "command" | "address" | "user">,
    client: Pick<ByteChannel, "onceFailed">,
    early: Uint8Array,
  ): Promise<Opened> {
    try {
      if (!commands.has(command)) {
        throw new StreamError("command-unsupported", `Cannot serve command ${command}`);
      }
      const session = await this.#options.session(user);
      const { stream, sent } = session.open(command, address, early);
      // A client that breaks off does not wait for the answer, nor must the edge go on dialling.
      client.onceFailed((reason) => stream.abort(reason));
      return { stream, bound: await stream.answer(), rest: early.subarray(sent) };
    } catch (error) {
      this.countFailure(error);
      throw error;
    }
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
