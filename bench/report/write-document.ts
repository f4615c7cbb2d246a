import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatDocument } from "./document.ts";
import { drawComparisons, drawGrowths } from "./figures.ts";
import type { Results } from "./results.ts";

/** Writes the report on a run and its charts into a folder, and returns the paths. */
export function writeDocument(folder: string, results: Results): string[] {
  const comparisons = drawComparisons(results);
  const growths = drawGrowths(results);
  const charts = join(folder, "charts");
  // Charts of an earlier run that this one has no data for would tell of another day.
  rmSync(charts, { recursive: true, force: true });
  mkdirSync(charts, { recursive: true });
  const files = [
    {
      path: join(folder, "performance.md"),
      text: formatDocument({ results, comparisons, growths }),
    },
    ...[...comparisons, ...growths].map(({ file, svg }) => ({
      path: join(charts, file),
      text: svg,
    })),
  ];
  for (const { path, text } of files) writeFileSync(path, text);
  return files.map(({ path }) => path);
}
