import { describe, expect, it } from "vitest";
import { withDeadline } from "../../../edge-worker/egress/deadline.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** An attempt that the test settles, within a deadline of 5 s. */
function attempt(signal: AbortSignal = new AbortController().signal) {
  const clock = new FakeClock();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const discarded: string[] = [];
  const seen: { signal?: AbortSignal; outcome?: unknown } = {};
  const run = (ending: AbortSignal): Promise<string> => {
    seen.signal = ending;
    return promise;
  };
  void withDeadline(clock, 5000, signal, run, (late) => void discarded.push(late)).then(
    (result) => (seen.outcome = result),
    (error: unknown) => (seen.outcome = error),
  );
  return { clock, resolve, reject, discarded, seen };
}

describe("withDeadline()", () => {
  it("resolves with the result, and clears its timer", async () => {
    const { clock, resolve, discarded, seen } = attempt();
    resolve("connected");
    await clock.run();
    expect(seen.outcome).toBe("connected");
    expect(seen.signal?.aborted).toBe(false);
    expect(discarded).toEqual([]);
    expect(clock.timerCount).toBe(0);
  });

  it("rejects with the attempt's own error, and clears its timer", async () => {
    const { clock, reject, seen } = attempt();
    reject(new StreamError("connection-refused", "no"));
    await clock.run();
    expect(seen.outcome).toMatchObject({ reason: "connection-refused" });
    expect(clock.timerCount).toBe(0);
  });

  it("rejects with timed-out once the time has passed, and aborts the attempt", async () => {
    const { clock, seen } = attempt();
    await clock.advance(4999);
    expect(seen.outcome).toBeUndefined();
    await clock.advance(1);
    expect(seen.outcome).toBeInstanceOf(StreamError);
    expect(seen.outcome).toMatchObject({ reason: "timed-out" });
    expect(String(seen.outcome)).toContain("no answer within 5 s");
    expect(seen.signal?.reason).toBe(seen.outcome);
  });

  it("discards a result that comes too late", async () => {
    const { clock, resolve, discarded } = attempt();
    await clock.advance(5000);
    expect(discarded).toEqual([]);
    resolve("late");
    await clock.run();
    expect(discarded).toEqual(["late"]);
  });

  it("takes no notice of a failure that comes too late", async () => {
    const { clock, reject, discarded, seen } = attempt();
    await clock.advance(5000);
    reject(new StreamError("connection-refused", "late"));
    await clock.run();
    expect(seen.outcome).toMatchObject({ reason: "timed-out" });
    expect(discarded).toEqual([]);
  });

  it("rejects with the reason of the signal, and aborts the attempt by it", async () => {
    const ending = new AbortController();
    const cancelled = new StreamError("cancelled", "The agent took the stream back");
    const { clock, resolve, discarded, seen } = attempt(ending.signal);
    ending.abort(cancelled);
    await clock.run();
    expect(seen.outcome).toBe(cancelled);
    expect(seen.signal?.reason).toBe(cancelled);
    expect(clock.timerCount).toBe(0);
    resolve("late");
    await clock.run();
    expect(discarded).toEqual(["late"]);
  });

  it("does not begin, or gives up at once, when the signal has aborted before", async () => {
    const cancelled = new StreamError("cancelled", "The agent took the stream back");
    const { clock, resolve, seen } = attempt(AbortSignal.abort(cancelled));
    resolve("connected");
    await clock.run();
    expect(seen.outcome).toBe(cancelled);
    expect(clock.timerCount).toBe(0);
  });
});
