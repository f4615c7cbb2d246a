import { Load } from "./load/load.ts";
import type { Measurement, Pace } from "./measure/measurement.ts";
import type { Subject } from "./subjects/subject.ts";
import { Workshop } from "./workshop.ts";

/** What is to be done, and with what. */
export type Plan = Readonly<{
  subjects: readonly Subject[];
  measurements: readonly Measurement[];
  rounds: number;
  pace: Pace;
  /** The compiled load generator. */
  loadProgram: string;
  /** Where the subjects' folders go. */
  folder: string;
  tell: (progress: string) => void;
}>;

/** Something to know beside the values. After a failure there is no value; a note leaves it as it is. */
export type Remark = Readonly<{
  kind: "failure" | "note";
  subject: string;
  round: number;
  what: string;
  text: string;
}>;

/** All values by subject, then by row, in the order of the rounds. */
export type Samples = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;

/** Everything the rounds brought. */
export type Outcome = Readonly<{ samples: Samples; remarks: readonly Remark[] }>;

type TurnOutcome = Readonly<{ values: Record<string, number>; remarks: readonly Remark[] }>;

/**
 * Measures every subject once a round, each time with fresh processes: so a machine that grows slower
 * or faster over time treats all alike, and the spread holds what one start differs from another.
 */
export async function runRounds(plan: Plan): Promise<Outcome> {
  const samples = new Map(plan.subjects.map(({ name }) => [name, new Map<string, number[]>()]));
  const remarks: Remark[] = [];
  for (let round = 1; round <= plan.rounds; round++) {
    for (const subject of plan.subjects) {
      plan.tell(`round ${round} of ${plan.rounds}: ${subject.name}`);
      const turn = await runTurn(plan, subject, round);
      remarks.push(...turn.remarks);
      for (const [key, value] of Object.entries(turn.values)) {
        const rows = samples.get(subject.name);
        rows?.set(key, [...(rows.get(key) ?? []), value]);
      }
    }
  }
  return { samples, remarks };
}

/** One line for a human. */
export function formatRemark({ kind, subject, round, what, text }: Remark): string {
  return `${kind === "failure" ? "Failed" : "Note"}: ${subject}, round ${round}, ${what}: ${text}`;
}

async function runTurn(plan: Plan, subject: Subject, round: number): Promise<TurnOutcome> {
  const workshop = new Workshop(`${plan.folder}/${subject.name}-${round}`);
  const remarks: Remark[] = [];
  const values: Record<string, number> = {};
  const remark = (kind: Remark["kind"], what: string, text: string) => {
    const remark = { kind, subject: subject.name, round, what, text };
    remarks.push(remark);
    plan.tell(formatRemark(remark));
  };
  const attempt = async (what: string, act: () => Promise<void>) => {
    try {
      await act();
    } catch (error) {
      remark("failure", what, error instanceof Error ? error.message : String(error));
    }
  };

  await attempt("start", async () => {
    const running = await subject.start(workshop);
    const load = await Load.start(plan.loadProgram, running.proxyPort);
    for (const measurement of plan.measurements) {
      const note = (text: string) => remark("note", measurement.name, text);
      await attempt(measurement.name, async () => {
        Object.assign(values, await measurement.run({ running, load, pace: plan.pace, note }));
      });
    }
    await load.stop();
  });
  if (remarks.some(({ kind }) => kind === "failure")) plan.tell(workshop.lastWords());
  await workshop.stop();
  return { values, remarks };
}
