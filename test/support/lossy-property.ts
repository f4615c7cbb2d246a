import fc from "fast-check";
import { expect } from "vitest";
import { type LossyOutcome, play, REFUSAL } from "./lossy-player.ts";
import { lossySchedules } from "./lossy-schedule.ts";

/** Plays so many random schedules: none may lose or double a byte or an answer, or leave anything behind. */
export async function expectNothingLost(options: { seed: number; numRuns: number }): Promise<void> {
  let losses = 0;
  /** Refusals that were lost with a carrier at least once. */
  let resent = 0;
  const property = fc.asyncProperty(lossySchedules, async (schedule) => {
    const outcome = await play(schedule);
    losses += outcome.losses;
    resent += outcome.trips.filter((trip) => isRefusedAgain(outcome, trip)).length;
    expectWhole(outcome);
    expectSettled(outcome);
  });
  await fc.assert(property, options);
  expect(losses).toBeGreaterThan(options.numRuns);
  expect(resent).toBeGreaterThan(options.numRuns / 40);
}

type Trip = LossyOutcome["trips"][number];

function isRefusedAgain({ audit }: LossyOutcome, { near, answers }: Trip): boolean {
  return answers.includes("failed") && audit.answersTo(near.id).sent > answers.length;
}

/** What was read is what was written, and all of it unless the stream was refused or given up. */
function expectWhole({ trips, audit }: LossyOutcome): void {
  for (const trip of trips) {
    const { near, up, down, isAborted, answers, heard } = trip;
    for (const { sent, got } of [up, down]) {
      expect(got).toEqual([...sent.subarray(0, got.length)]);
    }
    const { arrived } = audit.answersTo(near.id);
    expect(arrived).toBeLessThanOrEqual(answers.length);
    if (isAborted) continue;
    expect(arrived).toBe(answers.length);
    expect(heard).toEqual(answers.map((answer, i) => (answer === "failed" ? REFUSAL : i + 1)));
    if (answers.includes("failed")) expectRefused(trip);
    else expectComplete(trip);
  }
}

function expectComplete({ up, down }: Trip): void {
  expect([up.end, down.end]).toEqual([null, null]);
  expect([up.got.length, down.got.length]).toEqual([up.sent.length, down.sent.length]);
}

/** Nobody has got anything, and the agent's reader knows why. */
function expectRefused({ up, down }: Trip): void {
  expect([up.got, down.got]).toEqual([[], []]);
  expect(down.end).toMatchObject({ code: REFUSAL });
}

/** Nothing waits, nothing is kept, and each end may send a session window again, to the byte. */
function expectSettled({ session, audit }: LossyOutcome): void {
  const { agent, edge, ended } = session;
  expect([ended, agent?.streamCount, edge?.streamCount]).toEqual([{}, 0, 0]);
  expect(audit.faults).toEqual([]);
  for (const end of [agent, edge]) {
    expect(end?.held).toBe(0);
    expect(end?.retained).toBe(0);
  }
  expect(agent?.credit.offset).toBe(edge?.receivedBytes);
  expect(edge?.credit.offset).toBe(agent?.receivedBytes);
}
