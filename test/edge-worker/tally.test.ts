import { describe, expect, it } from "vitest";
import { Tally } from "../../edge-worker/tally.ts";
import { StreamError } from "../../protocol/errors.ts";
import { Command } from "../../protocol/wire.ts";
import { greetedBridge, target } from "../support/bridge-parts.ts";

const nothing = new Uint8Array();

describe("Tally", () => {
  it("counts streams that are served, and all by their command", () => {
    const tally = new Tally();
    const ended = tally.streamBegan(Command.Connect);
    tally.streamBegan(Command.Bind);
    expect(tally.streams).toBe(2);
    ended();
    expect(tally.streams).toBe(1);
    expect([...tally.openedByCommand]).toEqual([
      [Command.Connect, 1],
      [Command.Bind, 1],
    ]);
  });

  it("counts failures by reason", () => {
    const tally = new Tally();
    tally.streamFailed("denied");
    tally.streamFailed("denied");
    tally.streamFailed("timed-out");
    expect([...tally.failedByReason]).toEqual([
      ["denied", 2],
      ["timed-out", 1],
    ]);
  });
});

describe("Tally of a bridge", () => {
  it("counts sessions, streams and the reasons of those that fail", async () => {
    const tally = new Tally();
    const { clock, session, egress } = await greetedBridge({ tally });
    const { stream } = session.open(Command.Connect, target, nothing);
    stream.answer().catch(() => {});
    await clock.run();
    expect(tally).toMatchObject({ sessionsBegun: 1, streams: 1, violations: 0 });
    egress.dials[0]?.fail(new StreamError("connection-refused", "The target refused"));
    await clock.run();
    expect(tally.streams).toBe(0);
    expect([...tally.failedByReason]).toEqual([["connection-refused", 1]]);
  });

  it("counts bytes as they go, up and down", async () => {
    const tally = new Tally();
    const { clock, session, egress } = await greetedBridge({ tally });
    const { stream } = session.open(Command.Connect, target, Uint8Array.of(1, 2, 3));
    stream.answer().catch(() => {});
    await clock.run();
    egress.dials[0]?.channel.arrive(new Uint8Array(7));
    egress.dials[0]?.succeed();
    await clock.run();
    expect(tally.bytes).toEqual({ leftToRight: 3, rightToLeft: 7 });
  });
});
