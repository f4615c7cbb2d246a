import { describe, expect, it } from "vitest";
import {
  inTurn,
  isReachability,
  SharedTime,
} from "../../../../edge-worker/egress/upstream/in-turn.ts";
import { type FailureReason, StreamError } from "../../../../protocol/errors.ts";
import { ReasonNumber } from "../../../../protocol/wire.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeDial } from "../../../support/fake-egress.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { settled } from "../../../support/settled.ts";

const failed = (reason: FailureReason): StreamError => new StreamError(reason, reason);

describe("isReachability()", () => {
  it("is true for what another way may do better, and for nothing else", () => {
    const reasons = Object.keys(ReasonNumber) as FailureReason[];
    expect(reasons.filter((reason) => isReachability(failed(reason)))).toEqual([
      "host-unreachable",
      "network-unreachable",
      "timed-out",
      "command-unsupported",
      "edge-unavailable",
      "platform-blocked",
    ]);
    expect(isReachability(new Error("any"))).toBe(false);
  });
});

describe("inTurn()", () => {
  /** Ways that fail by these reasons, or succeed by their name; what was tried. */
  async function outcomeOf(ways: readonly string[], before?: StreamError) {
    const tried: string[] = [];
    const attempt = async (way: string): Promise<string> => {
      tried.push(way);
      if (way in ReasonNumber) throw failed(way as FailureReason);
      return way;
    };
    return { outcome: await settled(inTurn(ways, attempt, before)), tried };
  }

  it("stops at the first that succeeds", async () => {
    const { outcome, tried } = await outcomeOf(["timed-out", "b", "c"]);
    expect(outcome).toBe("b");
    expect(tried).toEqual(["timed-out", "b"]);
  });

  it.each(["connection-refused", "denied", "name-not-found", "general"])(
    "stops when the target is %s",
    async (reason) => {
      const { outcome, tried } = await outcomeOf([reason, "b"]);
      expect(outcome).toMatchObject({ reason });
      expect(tried).toEqual([reason]);
    },
  );

  it.each([
    [["timed-out", "host-unreachable"], "host-unreachable"],
    [["timed-out", "edge-unavailable"], "timed-out"],
    [["edge-unavailable", "timed-out"], "timed-out"],
    [["edge-unavailable"], "edge-unavailable"],
  ])("tells of %j what says most of the target", async (ways, reason) => {
    expect((await outcomeOf(ways)).outcome).toMatchObject({ reason });
  });

  it("goes on from an earlier failure", async () => {
    const before = failed("timed-out");
    expect((await outcomeOf([], before)).outcome).toBe(before);
    expect((await outcomeOf(["edge-unavailable"], before)).outcome).toBe(before);
  });
});

describe("SharedTime.dial()", () => {
  const target = parseAddress("example.com", 443);

  function dialWithin(milliseconds: number, waysLeft: number) {
    const clock = new FakeClock();
    const time = new SharedTime(clock, milliseconds, new AbortController().signal);
    const dials: FakeDial[] = [];
    const dial = (left: number) =>
      settled(
        time.dial(left, (signal) => {
          const fake = new FakeDial(target, signal, {});
          dials.push(fake);
          return fake.connection;
        }),
      );
    return { clock, dials, dial, first: dial(waysLeft) };
  }

  it("gives the first of three a third, and what it leaves to the others", async () => {
    const { clock, dials, dial, first } = dialWithin(9000, 3);
    await clock.advance(2999);
    expect(dials[0]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await first).toMatchObject({ reason: "timed-out" });
    const second = dial(2);
    await clock.advance(3000);
    expect(await second).toMatchObject({ reason: "timed-out" });
    const third = dial(1);
    await clock.advance(2999);
    expect(dials[2]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await third).toMatchObject({ reason: "timed-out" });
    expect(clock.timerCount).toBe(0);
  });

  it("gives all that is left to the next when one fails at once", async () => {
    const { clock, dials, dial, first } = dialWithin(9000, 2);
    dials[0]?.fail(failed("host-unreachable"));
    await first;
    const second = dial(1);
    await clock.advance(8999);
    expect(dials[1]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await second).toMatchObject({ reason: "timed-out" });
  });

  it("lets go of a connection that comes too late", async () => {
    const { clock, dials, first } = dialWithin(1000, 1);
    await clock.advance(1000);
    await first;
    dials[0]?.succeed();
    await clock.run();
    expect(dials[0]?.channel.abortReason).toMatchObject({ reason: "cancelled" });
  });
});
