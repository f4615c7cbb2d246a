import type { Clock } from "./clock.ts";
import type { Link } from "./link.ts";
import type { PoolSize } from "./pool.ts";
import { type NextLook, PoolWatch } from "./pool-watch.ts";
import type { Session } from "./session.ts";

export interface PoolKeeperActions {
  /** The session of new streams. */
  readonly session: () => Session | undefined;
  /** What there is to do may have become too much for the carriers that there are. */
  readonly looked: () => void;
}

/** Keeps the number of an uplink's carriers to what their load asks for: says when to dial, and ends. */
export class PoolKeeper {
  readonly #clock: Clock;
  readonly #actions: PoolKeeperActions;
  readonly #watch: PoolWatch;
  #size: PoolSize;
  #ended: Link | undefined;

  constructor(clock: Clock, size: PoolSize, actions: PoolKeeperActions) {
    this.#clock = clock;
    this.#size = size;
    this.#actions = actions;
    this.#watch = new PoolWatch(
      clock,
      () => void actions.session()?.carriers.look(clock.now()),
      () => this.#look(),
    );
  }

  /** Those that there are beyond go when they are at rest. */
  resize(size: PoolSize): void {
    this.#size = size;
    this.#watch.rouse();
  }

  /** There is a new stream, or a new carrier. */
  rouse(): void {
    this.#watch.rouse();
  }

  stop(): void {
    this.#watch.stop();
  }

  /** Whether a session is to have one carrier more. */
  isLacking(session: Session): boolean {
    // Those that drain count at the edge, which would end one of ours for one too many.
    const hasRoom = session.linkCount < session.maxCarriers;
    return hasRoom && session.carriers.openCount < session.carriers.wanted(this.#sizeIn(session));
  }

  /** Whether a link was ended as one too many, and not lost. */
  hasEnded(link: Link): boolean {
    return link === this.#ended;
  }

  #look(): NextLook {
    const session = this.#actions.session();
    if (!session?.isOpen) return "never";
    const isMoving = session.carriers.look(this.#clock.now());
    this.#actions.looked();
    if (!this.isLacking(session)) this.#endSurplus(session);
    if (isMoving || session.carriers.openCount > this.#sizeIn(session).least) return "soon";
    return session.streamCount > 0 ? "later" : "never";
  }

  /** As if it were lost: its streams go on on the others. */
  #endSurplus(session: Session): void {
    this.#ended = session.carriers.surplus(this.#sizeIn(session));
    this.#ended?.close("It is not needed any more");
  }

  #sizeIn({ maxCarriers }: Session): PoolSize {
    const { least, most } = this.#size;
    return { least: Math.min(least, maxCarriers), most: Math.min(most, maxCarriers) };
  }
}
