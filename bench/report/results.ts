import { readFileSync, writeFileSync } from "node:fs";
import { array, number, object, optional, parse, picklist, record, string } from "valibot";
import type { Pace, Row } from "../measure/measurement.ts";
import { type Topic, TOPICS } from "../measure/topics.ts";
import type { Machine } from "../machine.ts";
import type { Outcome } from "./outcome.ts";
import { medianOf, spreadOf, timesBetter } from "./statistics.ts";

/** What is known about one row of one subject. */
export type Cell = Readonly<{
  median: number;
  min: number;
  max: number;
  samples: readonly number[];
  /** By yardstick: how many times better than it. */
  timesBetter: Readonly<Record<string, number>>;
}>;

/** The rows and columns of a report. */
export type Frame = Readonly<{
  rows: readonly Row[];
  subjects: readonly string[];
  yardsticks: readonly string[];
}>;

/** A run of the bench, as --json writes it and --from reads it. */
export type Results = Readonly<{
  machine: Machine;
  rounds: number;
  pace: Pace;
  topics: readonly Topic[];
  subjects: readonly string[];
  results: Readonly<Record<string, Readonly<Record<string, Cell>>>>;
  remarks: Outcome["remarks"];
}>;

const cellSchema = object({
  median: number(),
  min: number(),
  max: number(),
  samples: array(number()),
  timesBetter: record(string(), number()),
});

const resultsSchema = object({
  machine: object({
    date: string(),
    cpu: string(),
    cores: number(),
    memoryGiB: number(),
    kernel: string(),
    loadBefore: number(),
    versions: record(string(), string()),
  }),
  rounds: number(),
  pace: object({
    warmUpMs: number(),
    sessionsMs: number(),
    warmMs: number(),
    windowMs: number(),
    settleMs: number(),
  }),
  topics: array(picklist(TOPICS)),
  subjects: array(string()),
  results: record(string(), record(string(), cellSchema)),
  remarks: optional(
    array(
      object({
        kind: picklist(["failure", "note"]),
        subject: string(),
        round: number(),
        what: string(),
        text: string(),
      }),
    ),
    [],
  ),
});

/** Turns the samples of a run into cells. */
export function cellsOf({ samples }: Outcome, frame: Frame): Results["results"] {
  const rowsOf = (subject: string) =>
    frame.rows.flatMap((row) => {
      const cell = cellOf(samples, frame, subject, row);
      return cell === undefined ? [] : [[row.key, cell] as const];
    });
  return Object.fromEntries(
    frame.subjects.map((subject) => [subject, Object.fromEntries(rowsOf(subject))]),
  );
}

/** Writes a run to a file. */
export function writeResults(path: string, results: Results): void {
  writeFileSync(path, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** Reads what writeResults() has written. */
export function readResults(path: string): Results {
  return parse(resultsSchema, JSON.parse(readFileSync(path, "utf8")));
}

function cellOf(
  samples: Outcome["samples"],
  { yardsticks }: Frame,
  subject: string,
  { key, better }: Row,
): Cell | undefined {
  const values = samples.get(subject)?.get(key) ?? [];
  const [median, spread] = [medianOf(values), spreadOf(values)];
  if (median === undefined || spread === undefined) return undefined;
  const ratios = yardsticks.flatMap((name) => {
    const other = medianOf(samples.get(name)?.get(key) ?? []);
    const ratio = other === undefined ? Number.NaN : timesBetter(median, other, better);
    return Number.isFinite(ratio) ? [[name, ratio] as const] : [];
  });
  return { median, ...spread, samples: values, timesBetter: Object.fromEntries(ratios) };
}
