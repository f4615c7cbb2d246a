import { describe, expect, it, vi } from "vitest";
import { Uplink } from "../../../client-agent/carriers/uplink.ts";
import { Metrics } from "../../../client-agent/observe/metrics.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { Command } from "../../../protocol/wire.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeEdge, type Mood } from "../../support/fake-edge.ts";
import { recordedLog } from "../../support/log.ts";
import { metricValue } from "../../support/metric-value.ts";
import { helloWith } from "../../support/session-pair.ts";

const EDGE = "wss://edge.example/path";
const target = parseAddress("example.com", 443);

/** An uplink that has just begun to run, to an edge of that mood. Its pauses are the shortest. */
function startUplink(mood: Mood) {
  const clock = new FakeClock();
  const edge = new FakeEdge(clock);
  edge.mood = mood;
  const log = recordedLog();
  const metrics = new Metrics();
  const uplink = new Uplink({
    clock,
    log,
    metrics,
    random: () => 0,
    dial: edge.dial,
    hello: helloWith({ maxStreams: 0 }),
    edge: EDGE,
  });
  let hasEnded = false;
  void uplink.run().then(() => (hasEnded = true));
  return {
    clock,
    edge,
    log,
    uplink,
    hasEnded: () => hasEnded,
    metric: (series: string) => metricValue(metrics, series),
    /** The times between dials so far. */
    pauses: (): number[] => edge.dialledAt.slice(1).map((at, i) => at - (edge.dialledAt[i] ?? 0)),
  };
}

/** The same, once all that happens at once has happened. */
async function runningUplink(mood: Mood = "answers") {
  const running = startUplink(mood);
  await running.clock.run();
  return running;
}

describe("Uplink.session()", () => {
  it("gives the session that there is", async () => {
    const { uplink, edge } = await runningUplink();
    const session = await uplink.session();
    expect(session.isOpen).toBe(true);
    expect(await uplink.session()).toBe(session);
    expect(edge.dialledAt).toHaveLength(1);
  });

  it("waits for an edge that comes back", async () => {
    const { uplink, edge, clock } = await runningUplink("is out of reach");
    const waiting = uplink.session();
    await clock.advance(20);
    edge.mood = "answers";
    await clock.advance(5000);
    expect((await waiting).isOpen).toBe(true);
  });

  it("rejects with edge-unavailable after 10 s", async () => {
    const { uplink, clock } = await runningUplink("is out of reach");
    let error: unknown;
    void uplink.session().catch((reason: unknown) => (error = reason));
    await clock.advance(9999);
    expect(error).toBeUndefined();
    await clock.advance(1);
    expect(error).toBeInstanceOf(StreamError);
    expect(error).toMatchObject({ reason: "edge-unavailable" });
    expect(String(error)).toContain("connect ECONNREFUSED");
  });

  it("serves later requests though an earlier one gave up", async () => {
    const { uplink, edge, clock } = await runningUplink("is out of reach");
    const first = expect(uplink.session()).rejects.toMatchObject({ reason: "edge-unavailable" });
    await clock.advance(10_000);
    await first;
    const second = uplink.session();
    edge.mood = "answers";
    await clock.advance(5000);
    expect((await second).isOpen).toBe(true);
  });
});

describe("Uplink.run()", () => {
  it("says which edge it has, and counts it as up", async () => {
    const { log, metric } = await runningUplink();
    expect(log.lines).toEqual([`info Connected to the edge at ${EDGE} {"runtime":"fake"}`]);
    expect(await metric("edgesocks_edge_up")).toBe(1);
  });

  it("dials an edge out of reach with growing pauses, up to a limit", async () => {
    const { clock, pauses, metric } = await runningUplink("is out of reach");
    await clock.advance(20_000);
    expect(pauses().slice(0, 10)).toEqual([25, 50, 100, 200, 400, 800, 1600, 3000, 3000, 3000]);
    expect(await metric("edgesocks_edge_up")).toBe(0);
    expect(await metric('edgesocks_carrier_failures_total{code="ERR_CARRIER_LOST"}')).toBe(13);
  });

  it("dials an edge that refuses slowly, and names it in the log", async () => {
    const { clock, log, pauses, metric } = await runningUplink("refuses");
    await clock.advance(40_000);
    expect(pauses()).toEqual([3000, 6000, 12_000, 12_000]);
    expect(log.lines[0]).toBe(
      `warn Cannot use the edge at ${EDGE}: it answered 404 {"retryMs":3000}`,
    );
    expect(await metric('edgesocks_carrier_failures_total{code="ERR_ADMISSION"}')).toBe(5);
  });

  it("dials at once when a session that lasted is lost", async () => {
    const { clock, edge, uplink, metric } = await runningUplink();
    const first = await uplink.session();
    await clock.advance(60_000);
    edge.carriers[0]?.cut();
    await clock.run();
    expect(edge.dialledAt).toEqual([0, 60_000]);
    expect(await uplink.session()).not.toBe(first);
    expect(await metric("edgesocks_edge_up")).toBe(1);
  });

  it("ends the streams of a session that is lost", async () => {
    const { clock, edge, uplink } = await runningUplink();
    const { stream } = (await uplink.session()).open(Command.Connect, target, new Uint8Array());
    const answer = expect(stream.answer()).rejects.toMatchObject({ reason: "edge-unavailable" });
    edge.carriers[0]?.cut();
    await clock.run();
    await answer;
  });

  it("pauses for an edge that takes it and drops it at once", async () => {
    const { clock, edge, pauses } = await runningUplink();
    for (let lost = 0; lost < 4; lost++) {
      edge.carriers[lost]?.cut();
      await clock.advance(250 * 2 ** lost * 0.1);
    }
    expect(pauses()).toEqual([25, 50, 100, 200]);
  });

  it("counts the edge as down as soon as its session is lost", async () => {
    const { clock, edge, metric } = await runningUplink();
    edge.carriers[0]?.cut();
    await clock.run();
    expect(edge.dialledAt).toHaveLength(1);
    expect(await metric("edgesocks_edge_up")).toBe(0);
  });

  it("begins with short pauses again after a session that lasted", async () => {
    const { clock, edge, pauses } = await runningUplink("is out of reach");
    await clock.advance(400);
    edge.mood = "answers";
    await clock.advance(60_000);
    edge.mood = "is out of reach";
    edge.carriers[0]?.cut();
    await clock.advance(100);
    // 25, 50, 100, 200 and 400 until it was there; then one dial at once, and anew.
    expect(pauses().slice(6)).toEqual([25, 50]);
  });

  it("gives up on an edge that does not say HELLO", async () => {
    const { clock, edge, log } = await runningUplink("says nothing");
    edge.mood = "answers";
    await clock.advance(11_000);
    expect(log.lines[0]).toMatch(/^warn .*did not say HELLO in time/);
    expect(edge.sessions).toHaveLength(1);
  });
});

describe("Uplink.run() when the edge drains", () => {
  it("begins a new session while old streams go on", async () => {
    const { clock, edge, uplink } = await runningUplink();
    const old = await uplink.session();
    const { stream } = old.open(Command.Connect, target, new Uint8Array());
    await clock.advance(10_000);
    edge.sessions[0]?.drain(30_000, "The edge is stopping");
    await clock.run();
    const renewed = await uplink.session();
    expect(renewed).not.toBe(old);
    expect(edge.dialledAt).toEqual([0, 10_000]);

    const atEdge = edge.incoming[0]?.stream;
    void stream.write(Uint8Array.of(1, 2, 3));
    void atEdge?.write(Uint8Array.of(4, 5, 6));
    await clock.run();
    expect(await atEdge?.read()).toEqual(Uint8Array.of(1, 2, 3));
    expect(await stream.read()).toEqual(Uint8Array.of(4, 5, 6));
  });

  it("closes the old carrier with its last stream", async () => {
    const { clock, edge, uplink } = await runningUplink();
    const old = await uplink.session();
    const { stream } = old.open(Command.Connect, target, new Uint8Array());
    await clock.advance(10_000);
    edge.sessions[0]?.drain(30_000, "The edge is stopping");
    await clock.run();
    expect(old.linkCount).toBe(1);
    stream.abort(new StreamError("cancelled", "The client left"));
    await clock.run();
    expect(old.linkCount).toBe(0);
    expect((await uplink.session()).linkCount).toBe(1);
  });
});

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
