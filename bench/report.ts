import type { Row } from "./measure/measurement.ts";
import type { Outcome, Samples } from "./rounds.ts";

/** What is known about one row of one subject. */
type Cell = Readonly<{
  median: number;
  min: number;
  max: number;
  samples: readonly number[];
  /** By yardstick: how many times better than it. */
  timesBetter: Readonly<Record<string, number>>;
}>;

/** The rows and columns of the report. */
export type Frame = Readonly<{
  rows: readonly Row[];
  subjects: readonly string[];
  yardsticks: readonly string[];
}>;

/** What --json writes, apart from the machine. */
export function toJson({ samples, remarks }: Outcome, frame: Frame): object {
  const results = frame.subjects.map((subject) => {
    const cells = frame.rows.map((row) => [row.key, cellOf(samples, frame, subject, row)]);
    return [subject, Object.fromEntries(cells.filter(([, cell]) => cell !== undefined))];
  });
  return { rows: frame.rows, results: Object.fromEntries(results), remarks };
}

/** A table for each row, with spread and comparison, and at the end one with all medians. */
export function formatReport({ samples }: Outcome, frame: Frame): string {
  const filled = frame.rows.filter(({ key }) =>
    [...samples.values()].some((rows) => rows.has(key)),
  );
  const details = filled.map((row) => formatRow(samples, frame, row));
  const medians = filled.map((row) => {
    const cells = frame.subjects.map((subject) => cellOf(samples, frame, subject, row));
    return [row.label, row.unit].concat(cells.map((cell) => formatNumber(cell?.median)));
  });
  const summary = formatTable([["medians", "", ...frame.subjects], ...medians], 2);
  const note = "Ratios say how many times better: 2 x is twice as good, 0.5 x half as good.";
  return [note, ...details, summary].join("\n\n");
}

function formatRow(samples: Samples, frame: Frame, row: Row): string {
  const yardsticks = frame.yardsticks.filter((name) => cellOf(samples, frame, name, row));
  const lines = frame.subjects.flatMap((subject) => {
    const cell = cellOf(samples, frame, subject, row);
    if (cell === undefined) return [];
    const ratios = yardsticks.map((name) => `${formatNumber(cell.timesBetter[name])} x`);
    const spread = `${formatNumber(cell.min)} - ${formatNumber(cell.max)}`;
    return [[subject, formatNumber(cell.median), spread, ...ratios]];
  });
  const title = `${row.label} (${row.unit}, ${row.better} is better)`;
  const header = ["", "median", "min - max", ...yardsticks.map((name) => `vs ${name}`)];
  return `${title}\n${formatTable([header, ...lines], 1)}`;
}

function cellOf(samples: Samples, frame: Frame, subject: string, row: Row): Cell | undefined {
  const values = samples.get(subject)?.get(row.key) ?? [];
  const median = medianOf(values);
  if (median === undefined) return undefined;
  const ratios = frame.yardsticks.flatMap((name) => {
    const other = medianOf(samples.get(name)?.get(row.key) ?? []);
    if (other === undefined) return [];
    return [[name, row.better === "more" ? median / other : other / median] as const];
  });
  return {
    median,
    min: Math.min(...values),
    max: Math.max(...values),
    samples: values,
    timesBetter: Object.fromEntries(ratios),
  };
}

function medianOf(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((left, right) => left - right);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
}

function formatNumber(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "-";
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

/** Pads the cells of each column to one width: the first `left` ones on the right. */
function formatTable(table: readonly (readonly string[])[], left: number): string {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((cells) => (cells[column] ?? "").length)),
  );
  const pad = (cell: string, column: number) =>
    column < left ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return table.map((cells) => `  ${cells.map(pad).join("  ")}`.trimEnd()).join("\n");
}
