import type { Row } from "../measure/measurement.ts";
import type { Frame, Results } from "./results.ts";
import { formatNumber } from "./statistics.ts";

/** A table for each row, with spread and comparison, and at the end one with all medians. */
export function formatReport({ results }: Pick<Results, "results">, frame: Frame): string {
  const filled = frame.rows.filter(({ key }) =>
    frame.subjects.some((name) => results[name]?.[key]),
  );
  const details = filled.map((row) => formatRow(results, frame, row));
  const medians = filled.map(({ key, label, unit }) =>
    [label, unit].concat(frame.subjects.map((name) => formatNumber(results[name]?.[key]?.median))),
  );
  const summary = formatTable([["medians", "", ...frame.subjects], ...medians], 2);
  const note = "Ratios say how many times better: 2 x is twice as good, 0.5 x half as good.";
  return [note, ...details, summary].join("\n\n");
}

function formatRow(results: Results["results"], frame: Frame, row: Row): string {
  const yardsticks = frame.yardsticks.filter((name) => results[name]?.[row.key]);
  const lines = frame.subjects.flatMap((subject) => {
    const cell = results[subject]?.[row.key];
    if (cell === undefined) return [];
    const ratios = yardsticks.map((name) => `${formatNumber(cell.timesBetter[name])} x`);
    const spread = `${formatNumber(cell.min)} - ${formatNumber(cell.max)}`;
    return [[subject, formatNumber(cell.median), spread, ...ratios]];
  });
  const title = `${row.label} (${row.unit}, ${row.better} is better)`;
  const header = ["", "median", "min - max", ...yardsticks.map((name) => `vs ${name}`)];
  return `${title}\n${formatTable([header, ...lines], 1)}`;
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
