import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SEED } from "../support/arbitraries.ts";
import { type LossyOutcome, lossySchedules, play } from "../support/lossy-schedule.ts";

describe("Session, any schedule of carriers lost", () => {
  it("delivers every byte once and in order, and leaves no stream and no credit behind", async () => {
    let losses = 0;
    const property = fc.asyncProperty(lossySchedules, async (schedule) => {
      const outcome = await play(schedule);
      losses += outcome.losses;
      expectWhole(outcome);
      expectSettled(outcome);
    });
    await fc.assert(property, { ...SEED, numRuns: 1000 });
    expect(losses).toBeGreaterThan(1000);
  }, 300_000);
});

/** What was read is what was written, and all of it unless somebody gave the stream up. */
function expectWhole({ trips }: LossyOutcome): void {
  for (const { up, down, isAborted, answers } of trips) {
    for (const { sent, got } of [up, down]) {
      expect(got).toEqual([...sent.subarray(0, got.length)]);
    }
    if (isAborted) continue;
    expect([up.end, down.end, answers]).toEqual([null, null, 1]);
    expect([up.got.length, down.got.length]).toEqual([up.sent.length, down.sent.length]);
  }
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
