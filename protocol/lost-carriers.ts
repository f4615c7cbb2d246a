import { ProtocolError } from "./errors.ts";
import type { ResumeEntry } from "./frame.ts";
import { GoAwayReason, MAX_RESUME_ENTRIES } from "./wire.ts";

/** What is asked of a lost link, and of its heir. */
export interface LostLink {
  readonly received: number;
  readonly retained: number;
}

/** Settled carriers whose count is remembered, as an agent may not have got it and asks again. */
const MAX_SETTLED = 64;

/**
 * The carriers that a session has lost, by number, until both ends know what the other received on
 * them. The agent asks on a live one, its heir; the edge answers there (PROTOCOL.md section 10).
 */
export class LostCarriers<Link extends LostLink> {
  readonly #links = new Map<number, Link>();
  /** Agent: where it has asked about each. */
  readonly #heirs = new Map<number, Link>();
  /** Edge: how many frames were received on those that are settled. */
  readonly #settled = new Map<number, number>();
  /** Settled carriers up to this number are forgotten. */
  #forgotten = 0;

  /** Bytes that are kept for the time when they are settled. */
  get retained(): number {
    let bytes = 0;
    for (const { retained } of this.#links.values()) bytes += retained;
    return bytes;
  }

  add(carrier: number, link: Link): void {
    this.#links.set(carrier, link);
    // What it was to inherit needs another heir.
    for (const [lost, heir] of this.#heirs) if (heir === link) this.#heirs.delete(lost);
  }

  /** Agent: the entries to send on `heir`, for all carriers that have no heir yet. */
  ask(heir: Link): ResumeEntry[] {
    const entries: ResumeEntry[] = [];
    for (const [carrier, { received }] of this.#links) {
      if (this.#heirs.has(carrier) || entries.length === MAX_RESUME_ENTRIES) continue;
      this.#heirs.set(carrier, heir);
      entries.push({ carrier, received });
    }
    return entries;
  }

  /** Agent: whether `heir` is to go on for any. */
  isHeir(heir: Link): boolean {
    for (const each of this.#heirs.values()) if (each === heir) return true;
    return false;
  }

  /** Agent: the carrier that `heir` goes on for. @throws ProtocolError when it was not asked for */
  answered(carrier: number, heir: Link): Link {
    const link = this.#links.get(carrier);
    if (!link || this.#heirs.get(carrier) !== heir) {
      throw new ProtocolError("ERR_FRAME_FIELD", `Cannot resume carrier ${carrier}: not asked for`);
    }
    this.#links.delete(carrier);
    this.#heirs.delete(carrier);
    return link;
  }

  /** Edge: the carrier that is to be gone on for; undefined when there is nothing of it to send. */
  settle(carrier: number): Link | undefined {
    if (carrier <= this.#forgotten) {
      const goAway = GoAwayReason.NoSuchSession;
      const text = `Cannot resume carrier ${carrier}: it is forgotten`;
      throw new ProtocolError("ERR_FRAME_FIELD", text, { goAway });
    }
    const link = this.#links.get(carrier);
    this.#links.delete(carrier);
    // One of which nothing was ever heard may still come: it is settled as well, and comes too late.
    if (link || !this.#settled.has(carrier)) this.#settled.set(carrier, link?.received ?? 0);
    this.#forget();
    return link;
  }

  /** Edge: frames received on a settled carrier. */
  receivedOn(carrier: number): number {
    return this.#settled.get(carrier) ?? 0;
  }

  clear(): void {
    this.#links.clear();
    this.#heirs.clear();
  }

  #forget(): void {
    for (const [carrier] of this.#settled) {
      if (this.#settled.size <= MAX_SETTLED) return;
      this.#settled.delete(carrier);
      this.#forgotten = Math.max(this.#forgotten, carrier);
    }
  }
}
