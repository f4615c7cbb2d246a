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

/** A measurement that could not be made. */
export type Failure = Readonly<{ subject: string; round: number; what: string; reason: string }>;

/** All values by subject, then by row, in the order of the rounds. */
export type Samples = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;

/** Everything the rounds brought. */
export type Outcome = Readonly<{ samples: Samples; failures: readonly Failure[] }>;

type TurnOutcome = Readonly<{ values: Record<string, number>; failures: readonly Failure[] }>;

/**
 * Measures every subject once a round, each time with fresh processes: so a machine that grows slower
 * or faster over time treats all alike, and the spread holds what one start differs from another.
 */
export async function runRounds(plan: Plan): Promise<Outcome> {
  const samples = new Map(plan.subjects.map(({ name }) => [name, new Map<string, number[]>()]));
  const failures: Failure[] = [];
  for (let round = 1; round <= plan.rounds; round++) {
    for (const subject of plan.subjects) {
      plan.tell(`round ${round} of ${plan.rounds}: ${subject.name}`);
      const turn = await runTurn(plan, subject, round);
      failures.push(...turn.failures);
      for (const [key, value] of Object.entries(turn.values)) {
        const rows = samples.get(subject.name);
        rows?.set(key, [...(rows.get(key) ?? []), value]);
      }
    }
  }
  return { samples, failures };
}

/** One line for a human. */
export function formatFailure({ subject, round, what, reason }: Failure): string {
  return `${subject}, round ${round}: ${what}: ${reason}`;
}

async function runTurn(plan: Plan, subject: Subject, round: number): Promise<TurnOutcome> {
  const workshop = new Workshop(`${plan.folder}/${subject.name}-${round}`);
  const failures: Failure[] = [];
  const values: Record<string, number> = {};
  const attempt = async (what: string, act: () => Promise<void>) => {
    try {
      await act();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const failure = { subject: subject.name, round, what, reason };
      failures.push(failure);
      plan.tell(formatFailure(failure));
    }
  };

  await attempt("start", async () => {
    const running = await subject.start(workshop);
    const load = await Load.start(plan.loadProgram, running.proxyPort);
    for (const measurement of plan.measurements) {
      await attempt(measurement.rows[0]?.topic ?? "", async () => {
        Object.assign(values, await measurement.run({ running, load, pace: plan.pace }));
      });
    }
    await load.stop();
  });
  if (failures.length > 0) plan.tell(workshop.lastWords());
  await workshop.stop();
  return { values, failures };
}
