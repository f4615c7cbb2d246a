import fc from "fast-check";
import type { Hello } from "../../protocol/hello.ts";
import { helloWith } from "./session-pair.ts";

/** What an edge says of an OPEN: BIND is answered twice, and the second may fail as well. */
export type Answer = "opened" | "failed";

/** One thing that happens. `which` chooses among the carriers or streams that there are. */
export type Event =
  | {
      readonly kind: "open";
      readonly early: number;
      readonly up: number;
      readonly down: number;
      readonly answers: readonly Answer[];
    }
  | { readonly kind: "answer"; readonly which: number }
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
const answers = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Answer[]>(["opened"]) },
  { weight: 3, arbitrary: fc.constant<Answer[]>(["failed"]) },
  { weight: 1, arbitrary: fc.constant<Answer[]>(["opened", "opened"]) },
  { weight: 1, arbitrary: fc.constant<Answer[]>(["opened", "failed"]) },
);

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ ...of("open"), early: fc.nat(150), up: size, down: size, answers }),
  },
  { weight: 7, arbitrary: fc.record({ ...of("answer"), which }) },
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
