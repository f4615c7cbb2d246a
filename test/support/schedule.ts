import { GatedReader } from "./gated-reader.ts";
import fc from "fast-check";
import type { ByteChannel } from "../../protocol/channel.ts";
import type { Hello } from "../../protocol/hello.ts";
import { CreditAudit } from "./credit-audit.ts";
import { helloWith, type SessionPair, sessionPair } from "./session-pair.ts";
import { patternOf } from "./stream-bytes.ts";

/** What one stream is to carry: sizes of writes in each direction, and of its early data. */
export interface StreamPlan {
  readonly early: number;
  readonly up: readonly number[];
  readonly down: readonly number[];
}

/** One step: let a reader take so many chunks, or have a side give a stream up. */
export interface Step {
  readonly stream: number;
  readonly side: "agent" | "edge";
  readonly reads: number;
}

export interface Schedule {
  readonly agentHello: Hello;
  readonly edgeHello: Hello;
  readonly streams: readonly StreamPlan[];
  readonly steps: readonly Step[];
  /** The step at which one stream is aborted by one side; undefined: never. */
  readonly abort: (Step & { readonly at: number }) | undefined;
}

const sizes = fc.array(fc.integer({ min: 1, max: 600 }), { maxLength: 4 });
const plan: fc.Arbitrary<StreamPlan> = fc.record({ early: fc.nat(200), up: sizes, down: sizes });
const windows = fc
  .record({
    streamWindow: fc.integer({ min: 16, max: 300 }),
    sessionWindow: fc.integer({ min: 16, max: 900 }),
    carrierWindow: fc.integer({ min: 16, max: 400 }),
  })
  .map((changes) => helloWith(changes));
const step = (streams: number): fc.Arbitrary<Step> =>
  fc.record({
    stream: fc.nat(streams - 1),
    side: fc.constantFrom("agent" as const, "edge" as const),
    reads: fc.nat(5),
  });

/** Schedules of 1 to 4 streams with small windows; with `aborts`, one stream is given up on the way. */
export function schedules(aborts: boolean): fc.Arbitrary<Schedule> {
  return fc.array(plan, { minLength: 1, maxLength: 4 }).chain((streams) =>
    fc.record({
      agentHello: windows,
      edgeHello: windows,
      streams: fc.constant(streams),
      steps: fc.array(step(streams.length), { maxLength: 12 }),
      abort: aborts
        ? fc
            .tuple(step(streams.length), fc.nat(12))
            .map(([aborted, at]): Schedule["abort"] => ({ ...aborted, at }))
        : fc.constant(undefined),
    }),
  );
}

/** One direction of one stream: what is written, and what has been read of it. */
export interface Direction {
  readonly sent: Uint8Array;
  readonly got: number[];
  /** null once the end was read, the error if it failed. */
  end: unknown;
}

/** What became of a stream. */
export interface Carried {
  readonly up: Direction;
  readonly down: Direction;
  isAborted: boolean;
}

export interface Outcome {
  readonly pair: SessionPair;
  readonly audit: CreditAudit;
  readonly streams: readonly Carried[];
}

/** Runs a schedule to its end: all is written, all is read, every direction is ended. */
export async function run(schedule: Schedule): Promise<Outcome> {
  const pair = await sessionPair(schedule.agentHello, schedule.edgeHello);
  const audit = new CreditAudit(pair.carriers, schedule.agentHello, schedule.edgeHello);
  const carried: Carried[] = [];
  const ends: { readonly agent: ByteChannel; readonly edge: ByteChannel }[] = [];
  const readers: { readonly agent: GatedReader; readonly edge: GatedReader }[] = [];

  for (const [index, { early, up, down }] of schedule.streams.entries()) {
    const direction = (seed: number, length: number): Direction => ({
      sent: patternOf(seed, length),
      got: [],
      end: undefined,
    });
    const each: Carried = {
      up: direction(index * 2, early + sum(up)),
      down: direction(index * 2 + 1, sum(down)),
      isAborted: false,
    };
    carried.push(each);
    const address = { kind: "name", host: "a.example", port: index } as const;
    const { stream, sent } = pair.agent.open(1, address, each.up.sent.subarray(0, early));
    await pair.clock.run();
    const far = pair.incoming[index]?.stream;
    if (!far) throw new Error("The edge was not asked");
    void write(stream, each.up.sent, [sent, early - sent, ...up]);
    void write(far, each.down.sent, [0, ...down]);
    ends.push({ agent: stream, edge: far });
    readers.push({
      agent: new GatedReader(stream, each.down),
      edge: new GatedReader(far, each.up),
    });
  }

  for (let at = 0; at <= schedule.steps.length; at++) {
    const { abort } = schedule;
    const isNow = abort && at === Math.min(abort.at, schedule.steps.length);
    const aborted = isNow ? carried[abort.stream] : undefined;
    if (abort && aborted) {
      aborted.isAborted = true;
      ends[abort.stream]?.[abort.side].abort(new Error("given up"));
    }
    const next = schedule.steps[at];
    if (next) readers[next.stream]?.[next.side].permit(next.reads);
    await pair.clock.run();
  }
  for (const { agent, edge } of readers)
    for (const reader of [agent, edge]) reader.permit(Infinity);
  await pair.clock.run();
  return { pair, audit, streams: carried };
}

/** Writes `bytes` in pieces, the first of which has been sent already, then ends. */
async function write(
  channel: ByteChannel,
  bytes: Uint8Array,
  pieces: readonly number[],
): Promise<void> {
  let at = pieces[0] ?? 0;
  try {
    for (const length of pieces.slice(1)) {
      await channel.write(bytes.subarray(at, at + length));
      at += length;
    }
    await channel.end();
  } catch {
    // The stream was given up: its readers say so.
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
