import { describe, expect, it } from "vitest";
import { HandOver } from "../../protocol/hand-over.ts";
import type { Hello } from "../../protocol/hello.ts";
import { Command } from "../../protocol/wire.ts";
import { target } from "../support/bridge-parts.ts";
import { helloWith, sessionPair } from "../support/session-pair.ts";

const none = new Uint8Array();

/** The agent's session with an edge that announces this, and a hand-over that watches it. */
async function watched(edge: Partial<Hello>, agent: Partial<Hello> = {}) {
  const pair = await sessionPair(helloWith(agent), helloWith(edge));
  const due: number[] = [];
  const handOver = new HandOver(pair.clock, () => void due.push(pair.clock.now()));
  handOver.watch(pair.agent);
  return { ...pair, due, handOver, isDue: () => handOver.isDue(pair.agent) };
}

describe("HandOver", () => {
  it("is due at 80 % of the streams, and used up with the last", async () => {
    const { agent, handOver, isDue } = await watched({ maxOpens: 5 });
    const seen = Array.from({ length: 5 }, () => {
      agent.open(Command.Connect, target, none);
      return [isDue(), handOver.isUsedUp(agent)];
    });
    expect(seen).toEqual([
      [false, false],
      [false, false],
      [false, false],
      [true, false],
      [true, true],
    ]);
  });

  it("is due at 80 % of the payload bytes, of both directions together", async () => {
    const { clock, agent, incoming, handOver, isDue } = await watched({ maxBytes: 1000 });
    const { stream } = agent.open(Command.Connect, target, none);
    await clock.run();
    void stream.write(new Uint8Array(400));
    void incoming[0]?.stream.write(new Uint8Array(399));
    await clock.run();
    expect(isDue()).toBe(false);
    void incoming[0]?.stream.write(new Uint8Array(1));
    await clock.run();
    // Not used up: the edge may well carry more.
    expect([isDue(), handOver.isUsedUp(agent)]).toEqual([true, false]);
  });

  it("is due at 80 % of the age, and tells", async () => {
    const { clock, due, isDue } = await watched({ maxAge: 50_000 });
    await clock.advance(39_999);
    expect([isDue(), due]).toEqual([false, []]);
    await clock.advance(1);
    expect([isDue(), due]).toEqual([true, [40_000]]);
  });

  it("is never due where nothing was said", async () => {
    const { clock, agent, due, isDue } = await watched({});
    for (let i = 0; i < 8; i++) agent.open(Command.Connect, target, none);
    await clock.advance(10_000_000);
    expect([isDue(), due]).toEqual([false, []]);
  });

  it("is not due for a session that can be resumed: its carriers are replaced one by one", async () => {
    const budget = { maxAge: 50_000, maxOpens: 1, maxBytes: 1, resumeWindow: 60 };
    const { clock, agent, due, handOver, isDue } = await watched(budget, { resumeWindow: 60 });
    agent.open(Command.Connect, target, none);
    await clock.advance(100_000);
    expect([isDue(), handOver.isUsedUp(agent), due]).toEqual([false, false, []]);
  });

  it("has no timer left once it was stopped", async () => {
    const { clock, handOver } = await watched({ maxAge: 50_000 });
    const before = clock.timerCount;
    handOver.stop();
    expect(clock.timerCount).toBe(before - 1);
  });
});
