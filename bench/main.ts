/** `npm run bench`: starts each subject in turn, measures it, prints a table. See --help. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Flags, parseFlags } from "./flags.ts";
import { buildLoad } from "./load/load.ts";
import { describeMachine, formatMachine } from "./machine.ts";
import { measurementsOf, rowsOf } from "./measure/measurements.ts";
import { formatReport, toJson } from "./report.ts";
import { formatRemark, runRounds } from "./rounds.ts";
import { YARDSTICKS } from "./subjects/subjects.ts";
import { Workshop } from "./workshop.ts";

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

async function main({ topics, subjects: wanted, rounds, pace, json }: Flags): Promise<void> {
  const subjects = wanted.filter((subject) => {
    const missing = subject.missing();
    if (missing !== undefined) console.error(`${subject.name} is left out: no ${missing}`);
    return missing === undefined;
  });
  const machine = describeMachine(subjects);
  console.log(`${formatMachine(machine)}\n`);

  const workshop = new Workshop(mkdtempSync(join(tmpdir(), "edgesocks-bench-")));
  const loadProgram = workshop.path("edgesocks-bench-load");
  buildLoad(loadProgram);
  const outcome = await runRounds({
    subjects,
    measurements: measurementsOf(topics),
    rounds,
    pace,
    loadProgram,
    folder: workshop.folder,
    tell: (progress) => console.error(progress),
  });
  await workshop.stop();

  const names = subjects.map(({ name }) => name);
  const frame = { rows: rowsOf(topics), subjects: names, yardsticks: YARDSTICKS };
  console.log(formatReport(outcome, frame));
  for (const remark of outcome.remarks) console.log(formatRemark(remark));
  if (json !== undefined) {
    const document = { machine, rounds, pace, ...toJson(outcome, frame) };
    writeFileSync(json, `${JSON.stringify(document, undefined, 2)}\n`);
  }
  process.exitCode = outcome.remarks.some(({ kind }) => kind === "failure") ? 1 : 0;
}
