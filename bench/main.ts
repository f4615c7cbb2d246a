/** `npm run bench`: starts each subject in turn, measures it, prints a table. See --help. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Flags, parseFlags } from "./flags.ts";
import { buildLoad } from "./load/load-process.ts";
import { describeMachine, formatMachine } from "./machine.ts";
import { rowsOf } from "./measure/measurements.ts";
import { formatRemark } from "./report/outcome.ts";
import { cellsOf, readResults, type Results, writeResults } from "./report/results.ts";
import { formatReport } from "./report/text-report.ts";
import { writeDocument } from "./report/write-document.ts";
import { runRounds } from "./rounds.ts";
import { YARDSTICKS } from "./subjects/subjects.ts";
import { Workshop } from "./workshop.ts";

const ROOT = join(import.meta.dirname, "..");

// Workshops clean up when the process exits, and a signal alone would not let it come to that.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(name, () => process.exit(130));
}

try {
  await main(parseFlags(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function main(flags: Flags): Promise<void> {
  const results = flags.from === undefined ? await measure(flags) : readResults(flags.from);
  const { topics, subjects } = results;
  const frame = { rows: rowsOf(topics), subjects, yardsticks: YARDSTICKS };
  console.log(formatReport(results, frame));
  for (const remark of results.remarks) console.log(formatRemark(remark));
  if (flags.json !== undefined) writeResults(flags.json, results);
  if (flags.report) {
    for (const path of writeDocument(join(ROOT, "docs"), results)) console.error(`wrote ${path}`);
  }
  process.exitCode = results.remarks.some(({ kind }) => kind === "failure") ? 1 : 0;
}

async function measure({ topics, subjects: wanted, rounds, pace }: Flags): Promise<Results> {
  const subjects = wanted.filter((subject) => {
    const missing = subject.missing();
    if (missing !== undefined) console.error(`${subject.name} is left out: no ${missing}`);
    return missing === undefined && subject.topics.some((topic) => topics.includes(topic));
  });
  const machine = describeMachine(subjects);
  console.log(`${formatMachine(machine)}\n`);

  const workshop = new Workshop(mkdtempSync(join(tmpdir(), "edgesocks-bench-")));
  const loadProgram = workshop.path("edgesocks-bench-load");
  buildLoad(loadProgram);
  const start = Date.now();
  const outcome = await runRounds({
    subjects,
    topics,
    rounds,
    pace,
    loadProgram,
    folder: workshop.folder,
    tell: (progress) => console.error(progress),
  });
  await workshop.stop();
  console.error(`took ${Math.round((Date.now() - start) / 1000)} s`);

  const names = subjects.map(({ name }) => name);
  const frame = { rows: rowsOf(topics), subjects: names, yardsticks: YARDSTICKS };
  const results = cellsOf(outcome, frame);
  return { machine, rounds, pace, topics, subjects: names, results, remarks: outcome.remarks };
}
