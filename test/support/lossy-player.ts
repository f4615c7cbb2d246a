import type { ByteChannel } from "../../protocol/channel.ts";
import { StreamError } from "../../protocol/errors.ts";
import type { Stream } from "../../protocol/stream.ts";
import { Command } from "../../protocol/wire.ts";
import { GatedReader } from "./gated-reader.ts";
import { LossyAudit } from "./lossy-audit.ts";
import type { Answer, Event, LossySchedule } from "./lossy-schedule.ts";
import { LossySession } from "./lossy-session.ts";
import { patternOf } from "./stream-bytes.ts";

/** One direction of one stream: what is written, and what became of it. */
interface Way {
  readonly sent: Uint8Array;
  readonly got: number[];
  end: unknown;
}

interface Trip {
  readonly near: Stream;
  far: Stream | undefined;
  readonly up: Way;
  readonly down: Way;
  readonly readers: { agent?: GatedReader; edge?: GatedReader };
  isAborted: boolean;
  /** What the edge is to answer, and how much of it it has said. */
  readonly answers: readonly Answer[];
  answered: number;
  /** What the agent was told: the port of each OPENED, and why it failed. */
  readonly heard: unknown[];
}

export interface LossyOutcome {
  readonly session: LossySession;
  readonly audit: LossyAudit;
  readonly trips: readonly Trip[];
  /** Carriers that were lost on the way. */
  readonly losses: number;
}

/** Plays a schedule, then lets all that is left go its way on carriers that are not lost. */
export async function play(schedule: LossySchedule): Promise<LossyOutcome> {
  const player = new Player(schedule);
  await player.begin();
  for (const event of schedule.events) await player.act(event);
  await player.finish();
  return player.outcome;
}

class Player {
  readonly #session: LossySession;
  readonly #audit: LossyAudit;
  readonly #trips: Trip[] = [];
  #losses = 0;

  constructor({ agentHello, edgeHello }: LossySchedule) {
    this.#session = new LossySession(agentHello, edgeHello);
    this.#audit = new LossyAudit(agentHello, edgeHello);
  }

  get outcome(): LossyOutcome {
    const { length } = this.#session.carriers;
    for (let at = 0; at < length; at++) this.#audit.read(at, this.#session.carriers[at]);
    return {
      session: this.#session,
      audit: this.#audit,
      trips: this.#trips,
      losses: this.#losses,
    };
  }

  async begin(): Promise<void> {
    this.#session.dial();
    await this.#session.settle();
  }

  async act(event: Event): Promise<void> {
    const { carriers, clock } = this.#session;
    const whole = carriers.filter(({ isWhole }) => isWhole);
    const waiting = this.#trips.filter(isWaiting);
    if (event.kind === "open") this.#open(event);
    if (event.kind === "answer") this.#answer(waiting[event.which % waiting.length]);
    if (event.kind === "dial" && whole.length < 3) this.#session.dial();
    if (event.kind === "read") {
      this.#trips[event.which % this.#trips.length]?.readers[event.side]?.permit(event.count);
    }
    if (event.kind === "abort") this.#abort(event.which, event.side);
    if (event.kind === "deliver") {
      whole[event.which % whole.length]?.deliver(event.way, event.count);
    }
    if (event.kind === "lose" && whole.length > 0) {
      this.#losses++;
      whole[event.which % whole.length]?.lose(event.noticedBy);
    }
    if (event.kind === "notice") carriers[event.which % carriers.length]?.lose("both");
    await clock.run();
    this.#meet();
  }

  async finish(): Promise<void> {
    // Whoever has not noticed a loss does now; then one carrier that stays.
    for (const carrier of this.#session.carriers) if (!carrier.isWhole) carrier.lose("both");
    this.#session.dial();
    for (let round = 0; round < 4; round++) {
      for (const trip of this.#trips) {
        while (isWaiting(trip)) this.#answer(trip);
        trip.readers.agent?.permit(Infinity);
        trip.readers.edge?.permit(Infinity);
      }
      await this.#session.settle();
      this.#meet();
      // ACKs that wait for a timer.
      await this.#session.clock.advance(2500);
    }
    await this.#session.settle();
  }

  #open({ early, up, down, answers }: Extract<Event, { kind: "open" }>): void {
    const { agent } = this.#session;
    if (this.#trips.length >= 8 || !agent?.isOpen) return;
    const seed = this.#trips.length * 2;
    const way = (add: number, length: number): Way => ({
      sent: patternOf(seed + add, length),
      got: [],
      end: undefined,
    });
    const upWay = way(0, early + up);
    const address = { kind: "name", host: "a.example", port: this.#trips.length } as const;
    const command = answers.length > 1 ? Command.Bind : Command.Connect;
    const { stream, sent } = agent.open(command, address, upWay.sent.subarray(0, early));
    const trip: Trip = {
      near: stream,
      far: undefined,
      up: upWay,
      down: way(1, down),
      readers: {},
      isAborted: false,
      answers,
      answered: 0,
      heard: [],
    };
    this.#trips.push(trip);
    trip.readers.agent = new GatedReader(stream, trip.down);
    void hear(trip);
    void write(stream, trip.up.sent.subarray(sent));
  }

  /** The edge is asked for each stream once. */
  #meet(): void {
    for (const { stream, address } of this.#session.incoming) {
      const trip = this.#trips[address.port];
      if (!trip || trip.far === stream) continue;
      if (trip.far) throw new Error("A stream was opened twice");
      trip.far = stream;
    }
  }

  /** The edge says its next answer to an OPEN, and with the last serves the stream. */
  #answer(trip: Trip | undefined): void {
    if (!trip?.far) return;
    const { far, answers, readers, up, down } = trip;
    const answer = answers[trip.answered++];
    if (answer === "failed") return far.refuse(REFUSAL, "");
    far.confirm({ kind: "ipv4", host: "192.0.2.1", port: trip.answered });
    if (isWaiting(trip)) return;
    readers.edge = new GatedReader(far, up);
    void write(far, down.sent);
  }

  #abort(which: number, side: "agent" | "edge"): void {
    const trip = this.#trips[which % this.#trips.length];
    const stream = side === "agent" ? trip?.near : trip?.far;
    if (!trip || !stream) return;
    trip.isAborted = true;
    stream.abort(new Error("given up"));
  }
}

/** Whether the edge has been asked for it, and has more to answer. */
function isWaiting({ far, answers, answered }: Trip): boolean {
  return far !== undefined && answered < answers.length;
}

/** What the edge says when it fails. */
export const REFUSAL = "host-unreachable";

/** Notes all that the agent is told of its OPEN. */
async function hear({ near, answers, heard }: Trip): Promise<void> {
  try {
    while (heard.length < answers.length) heard.push((await near.answer()).port);
  } catch (error) {
    heard.push(error instanceof StreamError ? error.code : error);
  }
}

/** Writes all, in pieces, and ends. */
async function write(channel: ByteChannel, bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length; at += 500) {
      await channel.write(bytes.subarray(at, at + 500));
    }
    await channel.end();
  } catch {
    // Given up: the readers say so.
  }
}
