/** How a carrier fares, as this end of it sees it. */
export interface CarrierLoad {
  /** Payload bytes that it has carried so far. */
  readonly sent: number;
  readonly received: number;
  /** Payload bytes that wait for it, or for an ACK. */
  readonly pending: number;
  /** Bytes that it delivers in a millisecond, as ACKs tell; 0 before anything was measured. */
  readonly rate: number;
  /** The least of late; undefined before anything was measured. */
  readonly roundTripMs: number | undefined;
}

export interface PoolMember {
  readonly load: CarrierLoad;
  /** Streams that lean on it. */
  readonly streams: number;
}

/** How many carriers to keep: at rest, and at most. */
export interface PoolSize {
  readonly least: number;
  readonly most: number;
}

/** What was seen of a carrier at the last look, and since the one before. */
interface Sample {
  readonly at: number;
  readonly sent: number;
  readonly received: number;
  /** Bytes a millisecond. */
  readonly receiveRate: number;
  readonly rate: number;
  /** Looks in a row at which there was much to do. */
  readonly heavyLooks: number;
}

/** Kept beside those that are busy: a new stream finds it with nothing in front of it. */
const SPARE = 1;
/** Bytes a millisecond, both ways together, from which on a carrier has much to do: 2 Mbit/s. */
const HEAVY_RATE = 256;
/** So has one at which bytes wait for as long. */
const HEAVY_WAIT_MS = 250;
/** A page that loads is over by then; who is busy for longer is likely to stay so. */
const HEAVY_LOOKS = 2;
/** A carrier that moves less is at rest: its streams do not mind to wait for a round trip. */
const QUIET_RATE = 16;
/** What may just wait for its ACK, which comes late where little is sent (see AckTimer). */
const SMALL_BYTES = 16_384;
/** A carrier may have so much in flight before anything is measured (see Flight). */
const FIRST_FLIGHT_BYTES = 262_144;
/** To an edge nearer than this another TCP connection brings nothing: the ends are what is slow. */
const NEAR_MS = 5;
/** The pool becomes smaller by one when it was too large for so long. */
const CALM_MS = 60_000;
/** What the fastest carrier has received counts for less with each look. */
const FADE = 0.9;
/** Times that differ by less are the same: then the number of streams decides. */
const SAME_SHARE = 1.25;
const SAME_MS = 2;

/**
 * How many carriers a session is to have, and which of them takes a new stream.
 *
 * Each carrier is a TCP connection with a congestion window of its own: one that lost a packet, or
 * has a download in flight, makes all its streams wait. So there is one more than are busy. It is
 * dialled as soon as the others have much to do, and not when the stream comes that needs it. It
 * goes when it was not needed for a minute: dialling costs round trips, keeping next to nothing.
 * Between growing and shrinking lies that minute in any case, so that a load that comes and goes
 * does not open and close connections all the time.
 *
 * A new stream goes where its first byte would be delivered first: after a round trip, what waits
 * here and what is in flight to us, both at the carrier's rate. Times that are nearly the same say
 * nothing, and it goes where the fewest streams are: so a page's dozens of streams spread.
 */
export class Pool<Member extends PoolMember> {
  #samples = new Map<Member, Sample>();
  /** The highest rate at which a carrier has received of late. */
  #fastest = 0;
  /** Carriers that are needed, or were a minute ago. */
  #level = SPARE;
  #neededAt = -Infinity;

  /** Whether anything has moved between the last two looks. */
  get isMoving(): boolean {
    return [...this.#samples.values()].some(({ rate }) => rate > 0);
  }

  /** Carriers to keep. */
  wanted({ least, most }: PoolSize): number {
    return Math.min(most, Math.max(least, this.#level));
  }

  /** Looks at all carriers that take new streams; to be called about once a second. */
  look(members: readonly Member[], now: number): void {
    this.#samples = new Map(members.map((member) => [member, this.#measure(member, now)]));
    const samples = [...this.#samples.values()];
    this.#fastest = Math.max(this.#fastest * FADE, ...samples.map((each) => each.receiveRate));
    const busy = samples.filter(({ heavyLooks }) => heavyLooks >= HEAVY_LOOKS).length;
    const isNeeded = busy + SPARE >= this.#level;
    if (isNeeded) this.#level = busy + SPARE;
    else if (now - this.#neededAt >= CALM_MS) this.#level--;
    else return;
    this.#neededAt = now;
  }

  /** Of carriers that are too many, the one that can go: it is at rest, with the fewest streams. */
  surplus(members: readonly Member[], size: PoolSize): Member | undefined {
    if (members.length <= this.wanted(size)) return undefined;
    const atRest = members.filter((member) => {
      const sample = this.#samples.get(member);
      return sample && sample.rate < QUIET_RATE && member.load.pending <= SMALL_BYTES;
    });
    return fewestStreams(atRest);
  }

  /** The carrier that would deliver first. */
  place(members: readonly Member[]): Member | undefined {
    if (members.length <= 1) return members[0];
    const times = members.map((member) => this.#expectedMs(member));
    const longest = Math.min(...times) * SAME_SHARE + SAME_MS;
    return fewestStreams(members.filter((_, index) => (times[index] ?? Infinity) <= longest));
  }

  #measure(member: Member, now: number): Sample {
    const { load } = member;
    const { sent, received } = load;
    const before = this.#samples.get(member) ?? { at: now, sent, received, heavyLooks: 0 };
    const elapsedMs = Math.max(1, now - before.at);
    const receiveRate = (received - before.received) / elapsedMs;
    const rate = receiveRate + (sent - before.sent) / elapsedMs;
    const isNear = (load.roundTripMs ?? Infinity) < NEAR_MS;
    const isHeavy = !isNear && (rate >= HEAVY_RATE || waitMs(load) >= HEAVY_WAIT_MS);
    const heavyLooks = isHeavy ? before.heavyLooks + 1 : 0;
    return { at: now, sent, received, receiveRate, rate, heavyLooks };
  }

  #expectedMs(member: Member): number {
    const { load } = member;
    const roundTripMs = load.roundTripMs ?? 0;
    // What the other end has in flight is what comes in a round trip. How fast it could come nobody
    // says: as fast as it did on any of the carriers.
    const { receiveRate = 0 } = this.#samples.get(member) ?? {};
    const share = this.#fastest < HEAVY_RATE ? 0 : receiveRate / this.#fastest;
    return roundTripMs + waitMs(load) + roundTripMs * share;
  }
}

/** How long what waits here takes to be delivered. */
function waitMs({ pending, rate, roundTripMs = 0 }: CarrierLoad): number {
  const bytes = pending - SMALL_BYTES;
  if (bytes <= 0) return 0;
  return rate > 0 ? bytes / rate : (bytes / FIRST_FLIGHT_BYTES) * roundTripMs;
}

function fewestStreams<Member extends PoolMember>(members: readonly Member[]): Member | undefined {
  let best: Member | undefined;
  for (const member of members) if (!best || member.streams < best.streams) best = member;
  return best;
}
