import { GatedReader } from "./gated-reader.ts";
import fc from "fast-check";
import type { Hello } from "../../protocol/hello.ts";
import { LossyAudit } from "./lossy-audit.ts";
import { LossySession } from "./lossy-session.ts";
import { helloWith } from "./session-pair.ts";
import { patternOf } from "./stream-bytes.ts";
import type { ByteChannel } from "../../protocol/channel.ts";
import type { Stream } from "../../protocol/stream.ts";

/** One thing that happens. `which` chooses among the carriers or streams that there are. */
export type Event =
  | { readonly kind: "open"; readonly early: number; readonly up: number; readonly down: number }
  | {
      readonly kind: "deliver";
      readonly which: number;
      readonly way: "up" | "down";
      readonly count: number;
    }
  | {
      readonly kind: "read";
      readonly which: number;
      readonly side: "agent" | "edge";
      readonly count: number;
    }
  | { readonly kind: "lose"; readonly which: number; readonly noticedBy: "agent" | "edge" | "both" }
  | { readonly kind: "notice"; readonly which: number }
  | { readonly kind: "dial" }
  | { readonly kind: "abort"; readonly which: number; readonly side: "agent" | "edge" };

export interface LossySchedule {
  readonly agentHello: Hello;
  readonly edgeHello: Hello;
  readonly events: readonly Event[];
}

const which = fc.nat(7);
const side = fc.constantFrom("agent" as const, "edge" as const);
const of = <Kind extends Event["kind"]>(kind: Kind) => ({ kind: fc.constant(kind) });
const size = fc.oneof(fc.nat(40), fc.nat(1500));

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ ...of("open"), early: fc.nat(150), up: size, down: size }) },
  {
    weight: 14,
    arbitrary: fc.record({
      ...of("deliver"),
      which,
      way: fc.constantFrom("up" as const, "down" as const),
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ ...of("read"), which, side, count: fc.nat(20) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      ...of("lose"),
      which,
      noticedBy: fc.constantFrom("agent" as const, "edge" as const, "both" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...of("notice"), which }) },
  { weight: 3, arbitrary: fc.record(of("dial")) },
  { weight: 1, arbitrary: fc.record({ ...of("abort"), which, side }) },
);

const windows = fc
  .record({
    streamWindow: fc.integer({ min: 16, max: 500 }),
    sessionWindow: fc.integer({ min: 16, max: 2000 }),
    carrierWindow: fc.integer({ min: 16, max: 600 }),
  })
  .map((changes) => helloWith({ ...changes, maxCarriers: 3 }));

/** Up to 120 events over at most 8 streams and 3 carriers at once, with small windows. */
export const lossySchedules: fc.Arbitrary<LossySchedule> = fc.record({
  agentHello: windows,
  edgeHello: windows,
  events: fc.array(event, { minLength: 20, maxLength: 120, size: "max" }),
});

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
  answers: number;
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
    if (event.kind === "open") this.#open(event);
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
      for (const { readers } of this.#trips) {
        readers.agent?.permit(Infinity);
        readers.edge?.permit(Infinity);
      }
      await this.#session.settle();
      this.#meet();
      // ACKs that wait for a timer.
      await this.#session.clock.advance(2500);
    }
    await this.#session.settle();
  }

  #open({ early, up, down }: Extract<Event, { kind: "open" }>): void {
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
    const { stream, sent } = agent.open(1, address, upWay.sent.subarray(0, early));
    const trip: Trip = {
      near: stream,
      far: undefined,
      up: upWay,
      down: way(1, down),
      readers: {},
      isAborted: false,
      answers: 0,
    };
    this.#trips.push(trip);
    trip.readers.agent = new GatedReader(stream, trip.down);
    void stream.answer().then(
      () => trip.answers++,
      () => {},
    );
    void write(stream, trip.up.sent.subarray(sent));
  }

  /** The edge serves what it was asked for, once. */
  #meet(): void {
    for (const { stream, address } of this.#session.incoming) {
      const trip = this.#trips[address.port];
      if (!trip || trip.far === stream) continue;
      if (trip.far) throw new Error("A stream was opened twice");
      trip.far = stream;
      stream.confirm({ kind: "ipv4", host: "192.0.2.1", port: 1 });
      trip.readers.edge = new GatedReader(stream, trip.up);
      void write(stream, trip.down.sent);
    }
  }

  #abort(which: number, side: "agent" | "edge"): void {
    const trip = this.#trips[which % this.#trips.length];
    const stream = side === "agent" ? trip?.near : trip?.far;
    if (!trip || !stream) return;
    trip.isAborted = true;
    stream.abort(new Error("given up"));
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
