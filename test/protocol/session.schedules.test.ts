import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SEED } from "../support/arbitraries.ts";
import { run, schedules } from "../support/schedule.ts";
import type { CreditAudit } from "../support/credit-audit.ts";
import type { SessionPair } from "../support/session-pair.ts";

describe("Session, any schedule of writes, reads and ends", () => {
  it("delivers every byte in order and sends none without credit, whatever the schedule [M-54]", async () => {
    const property = fc.asyncProperty(schedules(false), async (schedule) => {
      const { pair, audit, streams } = await run(schedule);
      expectAudited(pair, audit);
      for (const { up, down } of streams) {
        expect([up.got, down.got]).toEqual([[...up.sent], [...down.sent]]);
        expect([up.end, down.end]).toEqual([null, null]);
      }
      expect([pair.ended, pair.agent.streamCount, pair.edge.streamCount]).toEqual([{}, 0, 0]);
      expectCreditBack(pair);
    });
    await fc.assert(property, { ...SEED, numRuns: 100 });
  });

  it("keeps all other streams whole when one is given up, whenever and by whichever side", async () => {
    const property = fc.asyncProperty(schedules(true), async (schedule) => {
      const { pair, audit, streams } = await run(schedule);
      expectAudited(pair, audit);
      for (const { up, down, isAborted } of streams) {
        for (const { sent, got } of [up, down])
          expect(got).toEqual([...sent.subarray(0, got.length)]);
        if (isAborted) continue;
        expect([up.end, down.end, up.got.length, down.got.length]).toEqual([
          null,
          null,
          up.sent.length,
          down.sent.length,
        ]);
      }
      expect([pair.ended, pair.agent.streamCount, pair.edge.streamCount]).toEqual([{}, 0, 0]);
      expectCreditBack(pair);
    });
    await fc.assert(property, { ...SEED, numRuns: 150 });
  });
});

/** All is read or dropped, so each end may send more than half of the session window again. */
function expectCreditBack({ agent, edge }: SessionPair): void {
  for (const { credit, remote } of [agent, edge]) {
    expect(credit.available).toBeGreaterThan(remote.sessionWindow / 2);
  }
}

/** No rule of section 6 was broken, and every message but the two HELLOs was looked at. */
function expectAudited({ carriers }: SessionPair, audit: CreditAudit): void {
  expect(audit.faults).toEqual([]);
  expect(audit.messageCount).toBe(carriers.sent.left.length + carriers.sent.right.length - 2);
}
