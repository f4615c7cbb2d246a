import type { Cancel, Clock } from "../../../protocol/clock.ts";
import { CarrierError, StreamError } from "../../../protocol/errors.ts";
import type { PoolSize } from "../../../protocol/pool.ts";
import type { Session } from "../../../protocol/session.ts";
import { type Dial, Uplink, type UplinkOptions } from "../../../protocol/uplink.ts";

export type LazyUplinkOptions = Omit<UplinkOptions, "metrics" | "carriers">;

/** How long an uplink without streams is kept: a Worker that holds a WebSocket stays in memory. */
const IDLE_MS = 60_000;

/** All users of this edge share them. */
const CARRIERS: PoolSize = { least: 1, most: 4 };

/**
 * A session with another edge for as long as somebody uses it, and none before. Its streams outlive a
 * lost carrier as those of an agent do; they are what it goes on dialling for.
 */
export class LazyUplink {
  readonly #options: LazyUplinkOptions;
  readonly #clock: Clock;
  #uplink: Uplink | undefined;
  #cancelIdle: Cancel = () => {};
  /** Sessions that were handed out, which may have streams. */
  readonly #sessions = new Set<Session>();
  #isAsked = false;
  #isClosed = false;
  /** Why the last dial failed, until the next one begins. */
  #failure: StreamError | undefined;
  /** Rejects with the next dial that fails. */
  #dialling = neverUnhandled();

  constructor(options: LazyUplinkOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /**
   * A session to open streams in. Unlike an agent's clients, whoever asks here may have another
   * way: so a dial that fails is told at once, and until the next one begins.
   *
   * @throws StreamError "edge-unavailable"
   */
  async session(): Promise<Session> {
    if (this.#isClosed) throw new StreamError("edge-unavailable", "The edge is stopping");
    if (this.#failure) throw this.#failure;
    this.#isAsked = true;
    this.#uplink ??= this.#start();
    const asking = this.#uplink.session().catch((cause: unknown) => {
      throw unavailable(cause);
    });
    const session = await Promise.race([asking, this.#dialling.promise]);
    this.#sessions.add(session);
    return session;
  }

  /** Ends the streams and their carriers, and dials no more. */
  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #start(): Uplink {
    const uplink = new Uplink({
      ...this.#options,
      dial: this.#dial,
      carriers: CARRIERS,
      metrics: { edgeUp: () => {}, carrierFailed: () => {} },
    });
    void uplink.run();
    this.#cancelIdle = this.#clock.after(IDLE_MS, () => this.#stopIfIdle());
    return uplink;
  }

  readonly #dial: Dial = async (signal) => {
    this.#failure = undefined;
    try {
      return await this.#options.dial(signal);
    } catch (cause) {
      const failure = unavailable(cause);
      if (!signal.aborted) this.#failure = failure;
      this.#dialling.reject(failure);
      this.#dialling = neverUnhandled();
      throw cause;
    }
  };

  #stopIfIdle(): void {
    for (const session of this.#sessions) if (session.isOver) this.#sessions.delete(session);
    const isUsed = [...this.#sessions].some(({ streamCount }) => streamCount > 0);
    if (!isUsed && !this.#isAsked) return this.#stop();
    this.#isAsked = false;
    this.#cancelIdle = this.#clock.after(IDLE_MS, () => this.#stopIfIdle());
  }

  #stop(): void {
    this.#cancelIdle();
    this.#uplink?.stop();
    this.#uplink = undefined;
    this.#failure = undefined;
    this.#sessions.clear();
  }
}

/** For the agent, whom it does not concern where the other edge is: that stands in the log. */
function unavailable(cause: unknown): StreamError {
  const isRefusal = cause instanceof CarrierError && cause.code === "ERR_ADMISSION";
  const why = isRefusal ? "the other edge does not admit this one" : "there is no session with it";
  return new StreamError("edge-unavailable", `Cannot use the upstream: ${why}`, { cause });
}

function neverUnhandled(): PromiseWithResolvers<never> {
  const resolvers = Promise.withResolvers<never>();
  resolvers.promise.catch(() => {});
  return resolvers;
}
