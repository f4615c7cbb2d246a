import { describe, expect, it } from "vitest";
import { parseAddress } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";
import { Command } from "../../protocol/wire.ts";
import { EDGE, runningUplink } from "../support/running-uplink.ts";

const target = parseAddress("example.com", 443);

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
