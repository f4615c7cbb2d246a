import { Load } from "./load/load.ts";
import { Relays } from "./load/link.ts";
import { coursesOf } from "./measure/measurements.ts";
import type { Course, Pace } from "./measure/measurement.ts";
import type { Topic } from "./measure/topics.ts";
import type { Outcome, Remark } from "./report/outcome.ts";
import { formatRemark } from "./report/outcome.ts";
import type { Reach, Subject } from "./subjects/subject.ts";
import { Stopwatch } from "./stopwatch.ts";
import { Workshop } from "./workshop.ts";

/** What is to be done, and with what. */
export type Plan = Readonly<{
  subjects: readonly Subject[];
  topics: readonly Topic[];
  rounds: number;
  pace: Pace;
  /** The compiled load generator. */
  loadProgram: string;
  /** Where the subjects' folders go. */
  folder: string;
  tell: (progress: string) => void;
}>;

/** One subject on one course, with fresh processes. */
type Turn = Readonly<{ subject: Subject; course: Course; round: number }>;

type TurnOutcome = Readonly<{ values: Record<string, number>; remarks: readonly Remark[] }>;

/** The smallest number of rounds whose median one stray value does not move. */
const FEW_ROUNDS = 3;

/**
 * Measures every subject once a round, each time with fresh processes: so a machine that grows slower
 * or faster over time treats all alike, and the spread holds what one start differs from another.
 */
export async function runRounds(plan: Plan): Promise<Outcome> {
  const samples = new Map(plan.subjects.map(({ name }) => [name, new Map<string, number[]>()]));
  const remarks: Remark[] = [];
  const turns = turnsOf(plan);
  const stopwatch = new Stopwatch();
  for (const [index, turn] of turns.entries()) {
    const { subject, course, round } = turn;
    const place = `round ${round} of ${plan.rounds}, turn ${index + 1} of ${turns.length}`;
    plan.tell(`${place}: ${subject.name}, ${course.name}`);
    const { values, remarks: found } = await runTurn(plan, turn, stopwatch);
    remarks.push(...found);
    for (const [key, value] of Object.entries(values)) {
      const rows = samples.get(subject.name);
      rows?.set(key, [...(rows.get(key) ?? []), value]);
    }
  }
  plan.tell(`where the time went: ${stopwatch.toString()}`);
  return { samples, remarks };
}

/** Rounds are the outermost: what is compared must lie close together in time. */
function turnsOf({ subjects, topics, rounds }: Plan): Turn[] {
  const works = subjects.flatMap((subject) =>
    coursesOf(topics, subject).map((course) => ({ subject, course })),
  );
  const names = new Set(works.map(({ course }) => course.name));
  return Array.from({ length: rounds }, (_, index) => index + 1).flatMap((round) =>
    [...names].flatMap((name) =>
      works
        .filter(({ course }) => course.name === name)
        .filter(({ course }) => course.rounds === "all" || round <= FEW_ROUNDS)
        .map(({ subject, course }) => ({ subject, course, round })),
    ),
  );
}

async function runTurn(
  plan: Plan,
  { subject, course, round }: Turn,
  stopwatch: Stopwatch,
): Promise<TurnOutcome> {
  const workshop = new Workshop(`${plan.folder}/${subject.name}-${course.name}-${round}`);
  const relays = course.link && new Relays(plan.loadProgram, course.link);
  const reach: Reach = async (port) => (relays === undefined ? port : await relays.reach(port));
  const remarks: Remark[] = [];
  const values: Record<string, number> = {};
  const remark = (kind: Remark["kind"], what: string, text: string) => {
    const remark = { kind, subject: subject.name, round, what, text };
    remarks.push(remark);
    plan.tell(formatRemark(remark));
  };
  const attempt = async (what: string, act: () => Promise<void>) => {
    try {
      await stopwatch.time(what, act);
    } catch (error) {
      remark("failure", what, error instanceof Error ? error.message : String(error));
    }
  };

  await attempt("start", async () => {
    const running = await subject.start(workshop, reach);
    const load = await Load.start(plan.loadProgram, running.proxyPort, reach);
    for (const measurement of course.measurements) {
      const note = (text: string) => remark("note", measurement.name, text);
      await attempt(measurement.name, async () => {
        Object.assign(
          values,
          await measurement.run({ running, load, pace: plan.pace, relays, note }),
        );
      });
    }
    await load.stop();
  });
  if (remarks.some(({ kind }) => kind === "failure")) plan.tell(workshop.lastWords());
  await stopwatch.time("stop", async () => {
    await workshop.stop();
    await relays?.stop();
  });
  return { values, remarks };
}
