import { ProtocolError } from "./errors.ts";
import type { Frame, ResumeEntry } from "./frame.ts";
import type { Link } from "./link.ts";
import { LostCarriers } from "./lost-carriers.ts";
import { type CarrierLoad, Pool, type PoolMember, type PoolSize } from "./pool.ts";
import { FrameType, GoAwayReason } from "./wire.ts";

export interface CarriersOptions {
  /** The agent asks to go on for a lost carrier, the edge answers. */
  readonly isAgent: boolean;
  /** `heir` goes on for `lost`, of which the peer has received so many frames. */
  readonly takeOver: (lost: Link, heir: Link, received: number) => void;
}

class Member implements PoolMember {
  readonly link: Link;
  readonly carrier: number;
  streams = 0;

  constructor(link: Link, carrier: number) {
    this.link = link;
    this.carrier = carrier;
  }

  get load(): CarrierLoad {
    return this.link.load;
  }
}

/** The carriers of a session, live and lost, by their numbers (PROTOCOL.md section 10). */
export class Carriers {
  readonly #options: CarriersOptions;
  readonly #links = new Map<Link, Member>();
  readonly #pool = new Pool<Member>();
  /** Links the peer asked us to leave: each is closed once its last stream has ended. */
  readonly #leaving = new Set<Link>();
  readonly #lost = new LostCarriers<Link>();
  /** The highest number that was used. */
  #last = 0;

  constructor(options: CarriersOptions) {
    this.#options = options;
  }

  get live(): Link[] {
    return [...this.#links.keys()];
  }

  /** How many links take new streams. */
  get openCount(): number {
    let count = 0;
    for (const { isDraining } of this.#links.keys()) if (!isDraining) count++;
    return count;
  }

  get count(): number {
    return this.#links.size;
  }

  /** Bytes that lost carriers keep. */
  get retainedByLost(): number {
    return this.#lost.retained;
  }

  /** The same, and what live ones keep. Asked for each message: it makes no garbage. */
  get retained(): number {
    let bytes = this.#lost.retained;
    for (const { retained } of this.#links.keys()) bytes += retained;
    return bytes;
  }

  /** The shortest round trip of those that are live; undefined before any was measured. Asked as often. */
  get roundTripMs(): number | undefined {
    let least: number | undefined;
    for (const { roundTripMs } of this.#links.keys()) {
      if (roundTripMs !== undefined && (least === undefined || roundTripMs < least)) {
        least = roundTripMs;
      }
    }
    return least;
  }

  /** Payload bytes that those that are live have carried, both ways. */
  get carried(): number {
    return this.live.reduce((sum, { load }) => sum + load.sent + load.received, 0);
  }

  /** Agent: the number of its next carrier. */
  next(): number {
    return ++this.#last;
  }

  /** Edge: takes the number that an agent gave a carrier. @throws ProtocolError for one of the past */
  claim(carrier: number): void {
    if (carrier <= this.#last) {
      const goAway = GoAwayReason.NoSuchSession;
      const text = `Cannot join as carrier ${carrier}: numbers climb`;
      throw new ProtocolError("ERR_FRAME_FIELD", text, { goAway });
    }
    this.#last = carrier;
  }

  add(link: Link, carrier: number): void {
    this.#last = Math.max(this.#last, carrier);
    this.#links.set(link, new Member(link, carrier));
    this.#askOn(link);
  }

  /** Forgets a link; returns whether it was here. */
  delete(link: Link): boolean {
    this.#leaving.delete(link);
    return this.#links.delete(link);
  }

  /** A link has ended and is to be gone on for; returns whether it was here. */
  lose(link: Link): boolean {
    const member = this.#links.get(link);
    if (!member) return false;
    this.delete(link);
    this.abandon(link, member.carrier);
    return true;
  }

  /** The same for one that was never here, as its HELLO was not answered: the edge may have had it. */
  abandon(link: Link, carrier: number): void {
    this.#lost.add(carrier, link);
    const heir = this.pick() ?? this.live[0];
    if (heir) this.#askOn(heir);
  }

  /** The link for a new stream: of those that take any, the one that would deliver first. */
  pick(): Link | undefined {
    return this.#pool.place(this.#open)?.link;
  }

  /** Agent: sees how the links fare; returns whether anything has moved since the last time. */
  look(now: number): boolean {
    this.#pool.look(this.#open, now);
    return this.#pool.isMoving;
  }

  /** Agent: how many carriers their load asks for. */
  wanted(size: PoolSize): number {
    return this.#pool.wanted(size);
  }

  /** Agent: a link that is not needed any more, and whose streams would not miss it. */
  surplus(size: PoolSize): Link | undefined {
    return this.#pool.surplus(this.#open, size)?.link;
  }

  /** Counts streams that lean on a link, or do no more; one that was left is closed with the last. */
  countStreams(link: Link, change: number): void {
    const member = this.#links.get(link);
    if (!member) return;
    member.streams += change;
    this.#closeIfLeft(link);
  }

  leave(link: Link): void {
    this.#leaving.add(link);
    this.#closeIfLeft(link);
  }

  /** Edge: makes room by ending the carrier that nothing was heard of for longest. */
  dropStalest(): void {
    const [stalest] = this.live.toSorted((a, b) => b.silentMs - a.silentMs);
    stalest?.lose("Another carrier takes its place");
  }

  /** Agent: what to say behind the HELLO of a link, when there is no other to say it on. */
  resumption(link: Link): Frame | undefined {
    const entries = this.count === 0 ? this.#lost.ask(link) : [];
    return entries.length > 0 ? { type: FrameType.Resume, entries } : undefined;
  }

  /** Takes RESUME. @throws ProtocolError when it does not fit what was sent, asked or received */
  resume(entries: readonly ResumeEntry[], heir: Link): void {
    const { isAgent, takeOver } = this.#options;
    if (isAgent) {
      for (const { carrier, received } of entries) {
        takeOver(this.#lost.answered(carrier, heir), heir, received);
      }
      return this.#closeIfLeft(heir);
    }
    const answers = entries.map(({ carrier, received }): ResumeEntry => {
      this.#endForAgent(carrier, heir);
      const lost = this.#lost.settle(carrier);
      if (lost) takeOver(lost, heir, received);
      return { carrier, received: this.#lost.receivedOn(carrier) };
    });
    heir.resume(answers);
  }

  clear(): void {
    this.#links.clear();
    this.#leaving.clear();
    this.#lost.clear();
  }

  get #open(): Member[] {
    return [...this.#links.values()].filter(({ link }) => !link.isDraining);
  }

  #askOn(heir: Link): void {
    const entries = this.#options.isAgent ? this.#lost.ask(heir) : [];
    if (entries.length > 0) heir.resume(entries);
  }

  /** The agent has lost a carrier that is still there for us: it is of no use to either. */
  #endForAgent(carrier: number, heir: Link): void {
    // Its HELLO may still be on its way, and comes too late.
    this.#last = Math.max(this.#last, carrier);
    for (const [link, member] of this.#links) {
      if (member.carrier !== carrier) continue;
      if (link === heir) {
        throw new ProtocolError("ERR_FRAME_FIELD", "Cannot resume a carrier on itself");
      }
      link.lose("The agent has lost it");
    }
  }

  #closeIfLeft(link: Link): void {
    if (!this.#leaving.has(link) || this.#lost.isHeir(link)) return;
    if (this.#links.get(link)?.streams === 0) link.close("Drained");
  }
}
