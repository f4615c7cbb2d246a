import { describe, expect, it } from "vitest";
import {
  DRAIN_HEADER,
  drainAsked,
  MAX_DRAIN_MS,
  Replacement,
} from "../../edge-worker/replacement.ts";
import { Command } from "../../protocol/wire.ts";
import { greetedBridge, target } from "../support/bridge-parts.ts";
import { fateOf } from "../support/stream-bytes.ts";

const nothing = new Uint8Array();

describe("drainAsked()", () => {
  it("reads milliseconds, and bounds them", () => {
    const asked = (text?: string) =>
      drainAsked(new Headers(text === undefined ? {} : { [DRAIN_HEADER]: text }));
    expect([asked(), asked("0"), asked("2500")]).toEqual([undefined, 0, 2500]);
    expect([asked("999999"), asked("1e9"), asked("-1"), asked("")]).toEqual([
      MAX_DRAIN_MS,
      0,
      0,
      0,
    ]);
  });
});

describe("Replacement", () => {
  it("waits for agents that leave, and takes nobody for 30 s after", async () => {
    const { bridge, clock, agent, session } = await greetedBridge();
    session.open(Command.Connect, target, nothing);
    await clock.run();
    const replacement = new Replacement(clock);
    const cut = fateOf(replacement.begin(bridge, 10_000));
    await clock.advance(4000);
    expect([agent.drainMs, cut.now, replacement.isDue]).toEqual([10_000, "pending", true]);
    session.close("It has nothing to do any more");
    await clock.advance(100);
    expect([cut.now, replacement.isDue]).toEqual([0, true]);
    await clock.advance(30_000);
    expect([replacement.isDue, clock.timerCount]).toEqual([false, 0]);
  });

  it("cuts those that do not leave in time, and tells how many", async () => {
    const { bridge, clock, session } = await greetedBridge();
    session.open(Command.Connect, target, nothing);
    await clock.run();
    const cut = fateOf(new Replacement(clock).begin(bridge, 1000));
    await clock.advance(1000);
    expect([cut.now, bridge.sessionCount]).toEqual([1, 0]);
  });
});
