import type { Load } from "../load/load.ts";
import type { Link, Relays } from "../load/link.ts";
import type { Running } from "../subjects/subject.ts";
import type { Topic } from "./topics.ts";

/** One line of the result. */
export type Row = Readonly<{
  key: string;
  /** What --only calls it; a topic may have several rows. */
  topic: Topic;
  label: string;
  unit: string;
  better: "more" | "less";
}>;

/** How much time a measurement takes. */
export type Pace = Readonly<{
  /** Load of a kind after a start, before the first measurement that wants a warm subject. */
  warmUpMs: number;
  /** The same of short sessions: a compiler takes long to have seen enough of them. */
  sessionsMs: number;
  /** Load before the clock starts. */
  warmMs: number;
  windowMs: number;
  /** Rest before memory is read. */
  settleMs: number;
}>;

/** One subject while it is measured. */
export type Turn = Readonly<{
  running: Running;
  load: Load;
  pace: Pace;
  /** What lies between the ends of the tunnel; undefined: nothing. */
  relays: Relays | undefined;
  /** Puts something on record that the values do not tell. */
  note: (text: string) => void;
}>;

/** Something that is done to a running subject and fills one or more rows. */
export interface Measurement {
  readonly name: string;
  readonly rows: readonly Row[];
  /** The values by key of their row. A row without a value does not apply to this subject. */
  run(turn: Turn): Promise<Readonly<Record<string, number>>>;
}

/** Measurements that are taken of the same processes, one after the other. */
export type Course = Readonly<{
  name: string;
  measurements: readonly Measurement[];
  /** What lies between the ends of the tunnel; undefined: nothing. */
  link?: Link;
  /** Taken in every round, or in as few as still have a median. */
  rounds: "all" | "few";
}>;
