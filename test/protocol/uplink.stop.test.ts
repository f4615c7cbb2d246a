import { describe, expect, it, vi } from "vitest";
import { parseAddress } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";
import { Command } from "../../protocol/wire.ts";
import { runningUplink, startUplink } from "../support/running-uplink.ts";

const target = parseAddress("example.com", 443);

describe("Uplink.stop()", () => {
  it("ends run(), its session and its carrier", async () => {
    const { clock, edge, uplink, hasEnded } = await runningUplink();
    const session = await uplink.session();
    uplink.stop();
    await clock.run();
    expect(hasEnded()).toBe(true);
    expect(session.linkCount).toBe(0);
    expect(edge.sessions[0]?.linkCount).toBe(0);
    expect(clock.timerCount).toBe(0);
  });

  it("resets the streams of the session", async () => {
    const { clock, edge, uplink } = await runningUplink();
    const { stream } = (await uplink.session()).open(Command.Connect, target, new Uint8Array());
    const answer = expect(stream.answer()).rejects.toMatchObject({ reason: "cancelled" });
    await clock.run();
    const reading = edge.incoming[0]?.stream.read();
    const reset = expect(reading).rejects.toMatchObject({ reason: "cancelled" });
    uplink.stop();
    await clock.run();
    await answer;
    await reset;
  });

  it("ends the sessions that drain, too", async () => {
    const { clock, edge, uplink, hasEnded } = await runningUplink();
    (await uplink.session()).open(Command.Connect, target, new Uint8Array());
    await clock.advance(10_000);
    edge.sessions[0]?.drain(30_000, "The edge is stopping");
    await clock.run();
    uplink.stop();
    await clock.run();
    expect(hasEnded()).toBe(true);
    expect(edge.sessions.map(({ linkCount }) => linkCount)).toEqual([0, 0]);
    expect(clock.timerCount).toBe(0);
  });

  it.each(["is out of reach", "refuses", "hangs", "says nothing"] as const)(
    "ends run() and leaves no timer while the edge %s",
    async (mood) => {
      const { clock, edge, uplink, hasEnded } = await runningUplink(mood);
      uplink.stop();
      await clock.run();
      expect(clock.timerCount).toBe(0);
      expect(hasEnded()).toBe(true);
      await clock.advance(300_000);
      expect(edge.dialledAt).toHaveLength(1);
    },
  );

  it("ends run() though the edge's HELLO comes only afterwards", async () => {
    const { clock, edge, uplink, hasEnded } = startUplink("answers");
    await vi.waitUntil(() => edge.carriers.length === 1);
    uplink.stop();
    await clock.advance(60_000);
    expect(hasEnded()).toBe(true);
    expect(edge.sessions.map(({ linkCount }) => linkCount)).not.toContain(1);
    expect(clock.timerCount).toBe(0);
  });

  it("ends a carrier that is there just as it stops", async () => {
    const { clock, edge, uplink, hasEnded } = startUplink("answers");
    edge.onDialled = () => uplink.stop();
    await clock.run();
    expect(hasEnded()).toBe(true);
    expect(clock.timerCount).toBe(0);
  });

  it("rejects the requests that wait, and leaves none of their timers", async () => {
    const { clock, uplink } = await runningUplink("is out of reach");
    let error: unknown;
    void uplink.session().catch((reason: unknown) => (error = reason));
    uplink.stop();
    await clock.run();
    expect(clock.timerCount).toBe(0);
    expect(error).toBeInstanceOf(StreamError);
  });

  it("leaves nothing to wait for: session() rejects at once", async () => {
    const { clock, uplink } = await runningUplink();
    uplink.stop();
    await clock.run();
    let error: unknown;
    void uplink.session().catch((reason: unknown) => (error = reason));
    await clock.run();
    expect(error).toMatchObject({ reason: "edge-unavailable" });
  });
});
