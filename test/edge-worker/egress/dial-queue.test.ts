import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DialQueue, type Hold } from "../../../edge-worker/egress/dial-queue.ts";
import { SEED } from "../../support/arbitraries.ts";

/** One run of a queue: what became of it, and the ends of its dial. */
interface Run {
  readonly name: string;
  readonly ending: AbortController;
  readonly dial: PromiseWithResolvers<string>;
  readonly held: PromiseWithResolvers<void>;
  hold?: Hold;
  hasStarted: boolean;
  outcome?: string;
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A queue, with the dials that run in the order of their start. */
function queueOf(maxPending: number) {
  const queue = new DialQueue(maxPending);
  const started: string[] = [];
  const ask = (caller: object, name: string): Run => {
    const run: Run = {
      name,
      ending: new AbortController(),
      dial: Promise.withResolvers(),
      held: Promise.withResolvers(),
      hasStarted: false,
    };
    const dial = (hold: Hold): Promise<string> => {
      run.hasStarted = true;
      run.hold = hold;
      started.push(name);
      return run.dial.promise;
    };
    queue.run(caller, run.ending.signal, dial).then(
      (result) => (run.outcome = result),
      (error: unknown) => (run.outcome = String(error)),
    );
    return run;
  };
  return { queue, started, ask };
}

const [ann, bob, eve] = [{ user: "ann" }, { user: "bob" }, { user: "eve" }];

describe("DialQueue.run()", () => {
  it("gives the result of the dial, or its failure", async () => {
    const { ask, queue } = queueOf(2);
    const [good, bad] = [ask(ann, "good"), ask(ann, "bad")];
    good.dial.resolve("connected");
    bad.dial.reject(new Error("refused"));
    await settle();
    expect([good.outcome, bad.outcome]).toEqual(["connected", "Error: refused"]);
    expect(queue.pendingCount).toBe(0);
  });

  it("frees the slot of a dial that throws at once", async () => {
    const { queue } = queueOf(1);
    const { signal } = new AbortController();
    const throwing = queue.run(ann, signal, () => {
      throw new Error("no socket");
    });
    await expect(throwing).rejects.toThrow("no socket");
    expect(await queue.run(ann, signal, async () => "next")).toBe("next");
  });

  it("starts no more than maxPending, and the next when one has settled", async () => {
    const { ask, queue, started } = queueOf(5);
    const runs = Array.from({ length: 8 }, (_, i) => ask(ann, `${i}`));
    await settle();
    expect(started).toEqual(["0", "1", "2", "3", "4"]);
    expect([queue.pendingCount, queue.waitingCount]).toEqual([5, 3]);
    runs[3]?.dial.reject(new Error("refused"));
    await settle();
    expect(started.at(-1)).toBe("5");
    for (const run of runs) run.dial.resolve("done");
    await settle();
    expect(started).toHaveLength(8);
    expect([queue.pendingCount, queue.waitingCount]).toEqual([0, 0]);
  });

  it("serves one caller in the order that it asked in", async () => {
    const { ask, started } = queueOf(1);
    for (const name of ["a", "b", "c", "d"]) ask(ann, name).dial.resolve("");
    await settle();
    await settle();
    expect(started).toEqual(["a", "b", "c", "d"]);
  });

  it("gives callers equal turns, however much one of them asks for", async () => {
    const { ask, started } = queueOf(1);
    const first = ask(ann, "ann 0");
    const runs = [1, 2, 3, 4].map((i) => ask(ann, `ann ${i}`));
    runs.push(ask(bob, "bob 1"), ask(bob, "bob 2"), ask(eve, "eve 1"));
    for (const run of runs) run.dial.resolve("");
    first.dial.resolve("");
    for (let i = 0; i < 10; i++) await settle();
    const order = ["ann 0", "ann 1", "bob 1", "eve 1", "ann 2", "bob 2", "ann 3", "ann 4"];
    expect(started).toEqual(order);
  });

  it("gives a free slot to whom the fewest dials are under way for", async () => {
    const { ask, started } = queueOf(3);
    const [first] = [ask(ann, "ann 0"), ask(ann, "ann 1"), ask(bob, "bob 0")];
    ask(ann, "ann 2");
    ask(bob, "bob 1");
    ask(eve, "eve 0");
    first?.dial.resolve("");
    await settle();
    expect(started.at(-1)).toBe("eve 0");
  });

  it("keeps a quarter of many slots for callers that have no dial under way", async () => {
    const { ask, queue, started } = queueOf(16);
    const runs = Array.from({ length: 16 }, (_, i) => ask(ann, `ann ${i}`));
    await settle();
    expect([queue.pendingCount, queue.waitingCount]).toEqual([12, 4]);
    ask(bob, "bob");
    ask(bob, "bob again");
    ask(eve, "eve");
    await settle();
    // Each that had none gets one of the four, and nobody a second.
    expect(started.slice(12)).toEqual(["bob", "eve"]);
    runs[0]?.dial.resolve("");
    runs[1]?.dial.resolve("");
    await settle();
    expect(queue.pendingCount).toBe(12);
    runs[2]?.dial.resolve("");
    await settle();
    expect(started.at(-1)).toBe("bob again");
  });

  it("gives all of few slots to one caller", async () => {
    const { ask, queue } = queueOf(15);
    for (let i = 0; i < 16; i++) ask(ann, `${i}`);
    await settle();
    expect([queue.pendingCount, queue.waitingCount]).toEqual([15, 1]);
  });
});

describe("DialQueue.run() with a signal", () => {
  const reason = new Error("The agent took the stream back");

  it("starts nothing for one that has aborted", async () => {
    const { queue, started } = queueOf(1);
    const signal = AbortSignal.abort(reason);
    const dial = async (): Promise<void> => void started.push("no");
    await expect(queue.run(ann, signal, dial)).rejects.toBe(reason);
    expect([started.length, queue.pendingCount]).toEqual([0, 0]);
  });

  it("lets one that waits leave the line", async () => {
    const { ask, queue, started } = queueOf(1);
    const [first, second, third] = [ask(ann, "1"), ask(ann, "2"), ask(ann, "3")];
    await settle();
    second?.ending.abort(reason);
    await settle();
    expect(second?.outcome).toBe(String(reason));
    expect(queue.waitingCount).toBe(1);
    first?.dial.resolve("");
    third?.dial.resolve("");
    await settle();
    expect(started).toEqual(["1", "3"]);
    expect([queue.pendingCount, queue.waitingCount]).toEqual([0, 0]);
  });

  it("starts nothing for one that aborts as its turn comes, and passes the turn on", async () => {
    // However many microtasks a turn takes: the abort comes after each number of them once.
    for (let ticks = 0; ticks < 12; ticks++) {
      const { ask, queue, started } = queueOf(1);
      const [first, second, third] = [ask(ann, "1"), ask(ann, "2"), ask(ann, "3")];
      await settle();
      first?.dial.resolve("");
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      const hadStarted = second?.hasStarted;
      second?.ending.abort(reason);
      if (hadStarted) second?.dial.reject(reason);
      third?.dial.resolve("");
      for (let i = 0; i < 3; i++) await settle();
      expect(second?.hasStarted).toBe(hadStarted);
      expect(started.at(-1)).toBe("3");
      expect([queue.pendingCount, queue.waitingCount]).toEqual([0, 0]);
    }
  });

  it("leaves a slot with a dial that cannot be ended until that has settled", async () => {
    const { ask, queue, started } = queueOf(1);
    const [first, second] = [ask(ann, "black hole"), ask(bob, "waits")];
    await settle();
    first?.ending.abort(reason);
    await settle();
    expect([queue.pendingCount, second?.hasStarted]).toEqual([1, false]);
    first?.dial.reject(reason);
    await settle();
    expect(started).toEqual(["black hole", "waits"]);
  });

  it("holds a slot for what the dial has left behind", async () => {
    const { ask, queue, started } = queueOf(1);
    const [first] = [ask(ann, "looks names up"), ask(ann, "waits")];
    await settle();
    first?.hold?.(first.held.promise);
    first?.dial.resolve("connected");
    await settle();
    expect(first?.outcome).toBe("connected");
    expect([queue.pendingCount, started.length]).toEqual([1, 1]);
    first?.held.reject(new Error("no such name"));
    await settle();
    expect(started).toHaveLength(2);
  });

  it("bounds dials under way through a flood of OPEN and RESET", async () => {
    const { ask, queue, started } = queueOf(5);
    for (let i = 0; i < 10_000; i++) ask(ann, "flood").ending.abort(reason);
    await settle();
    expect(started).toHaveLength(5);
    expect([queue.pendingCount, queue.waitingCount]).toEqual([5, 0]);
  });
});

describe("DialQueue", () => {
  it("never has more than maxPending under way, starves nobody and ends empty", async () => {
    const step = fc.tuple(fc.constantFrom("ask", "settle", "abort"), fc.nat(3), fc.nat(50));
    const property = fc.asyncProperty(
      fc.constantFrom(1, 2, 5, 16),
      fc.array(step, { maxLength: 60 }),
      async (maxPending, steps) => {
        const { ask, queue } = queueOf(maxPending);
        const callers = [{}, {}, {}, {}];
        const runs: Run[] = [];
        for (const [action, caller, which] of steps) {
          const run = runs[which % Math.max(1, runs.length)];
          if (action === "ask") runs.push(ask(callers[caller] ?? {}, `${runs.length}`));
          else if (action === "settle" && run?.hasStarted) run.dial.resolve("done");
          else if (action === "abort") run?.ending.abort("aborted");
          await Promise.resolve();
          expect(queue.pendingCount).toBeLessThanOrEqual(maxPending);
        }
        for (const run of runs) run.dial.resolve("done");
        for (let i = 0; i < 4; i++) await settle();
        expect([queue.pendingCount, queue.waitingCount]).toEqual([0, 0]);
        for (const run of runs) expect(["done", "aborted"]).toContain(run.outcome);
      },
    );
    await fc.assert(property, { ...SEED, numRuns: 200 });
  });
});
