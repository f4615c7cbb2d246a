import { rowsOf } from "../../bench/measure/measurements.ts";
import { TOPICS } from "../../bench/measure/topics.ts";
import type { Outcome } from "../../bench/report/outcome.ts";
import { cellsOf, type Results } from "../../bench/report/results.ts";
import { subjects, YARDSTICKS } from "../../bench/subjects/subjects.ts";

const SUBJECTS = subjects.map(({ name }) => name);

/** Results whose samples are given by subject and row. */
export function resultsOf(
  samples: Record<string, Record<string, readonly number[]>>,
  remarks: Outcome["remarks"] = [],
): Results {
  const map = new Map(
    Object.entries(samples).map(([name, rows]) => [name, new Map(Object.entries(rows))]),
  );
  const names = SUBJECTS.filter((name) => map.has(name));
  const frame = { rows: rowsOf(TOPICS), subjects: names, yardsticks: YARDSTICKS };
  return {
    machine: {
      date: "2026-11-21T12:00:00.000Z",
      cpu: "A processor",
      cores: 2,
      memoryGiB: 8,
      kernel: "6.1",
      loadBefore: 0.1,
      versions: { node: "v24.0.0" },
    },
    rounds: 5,
    pace: { warmUpMs: 1, sessionsMs: 5, warmMs: 2, windowMs: 3, settleMs: 4 },
    topics: TOPICS,
    subjects: names,
    results: cellsOf({ samples: map, remarks }, frame),
    remarks,
  };
}
