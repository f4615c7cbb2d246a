import { StreamError } from "../../protocol/errors.ts";
import type { Session } from "../../protocol/session.ts";
import type { Uplink } from "../../protocol/uplink.ts";

/** The way to an edge, or to several as one. */
export type EdgeUplink = Pick<Uplink, "run" | "session" | "networkChanged" | "stop">;

/** Whose streams may share a session: everybody's, or those of one user only. */
export type Isolation = "none" | "user";

/** Users with a session of their own at once; each costs a WebSocket for as long as the agent runs. */
const MAX_UPLINKS = 256;
/** The key of those who have no name, which no user can have. */
const NOBODY = "";

/** The uplinks of an agent: one for all, or one for each user so that no two share a session. */
export class Uplinks {
  readonly #create: () => EdgeUplink;
  readonly #isolation: Isolation;
  readonly #uplinks = new Map<string, EdgeUplink>();
  readonly #runs: Promise<void>[] = [];
  readonly #stopped = Promise.withResolvers<void>();
  #isStopping = false;

  constructor(isolation: Isolation, create: () => EdgeUplink) {
    this.#isolation = isolation;
    this.#create = create;
  }

  /** Keeps an edge at hand from the start, and runs until stop() has ended every uplink. */
  async run(): Promise<void> {
    this.#uplinkOf(undefined);
    await this.#stopped.promise;
    await Promise.all(this.#runs);
  }

  /** A session for `user`'s streams. @throws StreamError as Uplink.session() */
  async session(user: string | undefined): Promise<Session> {
    return this.#uplinkOf(user).session();
  }

  /** As Uplink.networkChanged(). */
  networkChanged(hasSlept: boolean): void {
    for (const uplink of this.#uplinks.values()) uplink.networkChanged(hasSlept);
  }

  stop(): void {
    this.#isStopping = true;
    for (const uplink of this.#uplinks.values()) uplink.stop();
    this.#stopped.resolve();
  }

  #uplinkOf(user: string | undefined): EdgeUplink {
    const key = this.#isolation === "user" ? (user ?? NOBODY) : NOBODY;
    const known = this.#uplinks.get(key);
    if (known) return known;
    if (this.#isStopping) throw new StreamError("edge-unavailable", "The agent is stopping");
    if (this.#uplinks.size >= MAX_UPLINKS) {
      throw new StreamError("edge-unavailable", `There are ${MAX_UPLINKS} users already`);
    }
    const uplink = this.#create();
    this.#uplinks.set(key, uplink);
    this.#runs.push(uplink.run());
    return uplink;
  }
}
