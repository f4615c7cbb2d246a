import { describe, expect, it } from "vitest";
import { StreamError } from "../../protocol/errors.ts";
import { decodeFrames, type Frame } from "../../protocol/frame.ts";
import type { Stream } from "../../protocol/stream.ts";
import { CloseCode, FrameType, GoAwayReason } from "../../protocol/wire.ts";
import { encodeFrames } from "../support/frame-json.ts";
import { hex } from "../support/hex.ts";
import { RawPeer } from "../support/raw-peer.ts";
import { type SecondLink, secondLink } from "../support/second-link.ts";
import { helloWith, type SessionPair, sessionPair } from "../support/session-pair.ts";
import { fateOf, patternOf, readAll } from "../support/stream-bytes.ts";

const { Open, Data, GoAway, Credit } = FrameType;
const to = { kind: "name", host: "a.example", port: 80 } as const;
const none = hex("");
const resumable = helloWith({ resumeWindow: 60, carrier: 1 });
const drain: Frame = { type: GoAway, reason: GoAwayReason.Drain, drainMs: 1000, text: "" };
const opening = (streamId: number): Frame => ({
  type: Open,
  streamId,
  command: 1,
  address: to,
  early: none,
});

const framesOf = (messages: readonly Uint8Array[]): Frame[] =>
  messages.flatMap((message) => [...decodeFrames(message)]);

/** Runs both carriers until neither has anything to do. */
async function settle(pair: SessionPair, second: SecondLink): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await pair.clock.run();
    await second.clock.run();
  }
}

/** A stream on each of two carriers: the first has been asked to be left in between. */
async function onBoth(): Promise<{
  pair: SessionPair;
  second: SecondLink;
  first: Stream;
  other: Stream;
}> {
  const pair = await sessionPair(resumable, resumable);
  const second = await secondLink(pair);
  const first = pair.agent.open(1, to, none).stream;
  await pair.clock.run();
  pair.edgeLink.drain(1000, "");
  await pair.clock.run();
  const other = pair.agent.open(1, to, none).stream;
  await settle(pair, second);
  return { pair, second, first, other };
}

describe("Session, the end of its only carrier", () => {
  it("fails every stream with edge-unavailable, and ends once [M-66]", async () => {
    const pair = await sessionPair();
    const near = pair.agent.open(1, to, none).stream;
    await pair.clock.run();
    const fates = [near.answer(), near.read(), pair.incoming[0]?.stream.read()].map((each) =>
      fateOf(Promise.resolve(each)),
    );
    pair.carriers.cut();
    await pair.clock.run();
    for (const { now } of fates) expect(now).toMatchObject({ reason: "edge-unavailable" });
    expect(pair.ended.agent).toMatchObject({ code: "ERR_CARRIER_LOST" });
    expect(pair.ended.edge).toMatchObject({ code: "ERR_CARRIER_LOST" });
    expect([
      pair.agent.streamCount,
      pair.edge.linkCount,
      pair.agent.isOpen,
      pair.clock.timerCount,
    ]).toEqual([0, 0, false, 0]);
  });

  it("is noticed within 120 s when nobody says so [M-28]", async () => {
    const pair = await sessionPair();
    pair.carriers.blackHole();
    await pair.clock.advance(120_000);
    expect([pair.ended.agent, pair.ended.edge]).toMatchObject([
      { code: "ERR_CARRIER_LOST" },
      { code: "ERR_CARRIER_LOST" },
    ]);
  });

  it("does not come while pings are answered", async () => {
    const pair = await sessionPair();
    await pair.clock.advance(3_600_000);
    expect([pair.ended, pair.agentLink.roundTripMs]).toEqual([{}, 0]);
  });

  it("lets bytes that have arrived before a FIN be read afterwards", async () => {
    const pair = await sessionPair();
    const near = pair.agent.open(1, to, none).stream;
    await pair.clock.run();
    const far = pair.incoming[0]?.stream;
    void far?.write(hex("0102")).then(() => far.end());
    void near.end();
    await pair.clock.run();
    pair.carriers.cut();
    expect([await near.read(), await near.read()]).toEqual([hex("0102"), null]);
  });
});

describe("Session.reset() and close()", () => {
  it("tell the reason of each stream, then close with 1000", async () => {
    const peer = await RawPeer.greeted("edge");
    await peer.tell(opening(1), opening(2));
    peer.session.reset(new StreamError("cancelled", "stopping"));
    peer.session.close("stopped");
    expect(peer.heard()).toMatchObject([
      { streamId: 1, reason: "cancelled" },
      { streamId: 2, reason: "cancelled" },
    ]);
    await peer.clock.run();
    expect([peer.closeCode, peer.ended]).toMatchObject([
      CloseCode.Normal,
      { code: "ERR_CARRIER_LOST" },
    ]);
  });
});

describe("Session.drain()", () => {
  it("has the agent open nothing more, finish what it has, and close [M-30] [M-31]", async () => {
    const pair = await sessionPair();
    const near = pair.agent.open(1, to, none).stream;
    await pair.clock.run();
    pair.edge.drain(1000, "stopping");
    await pair.clock.run();
    expect([pair.agent.isOpen, pair.ended]).toEqual([false, {}]);
    expect(() => pair.agent.open(1, to, none)).toThrow(
      expect.objectContaining({ reason: "edge-unavailable" }),
    );

    const far = pair.incoming[0]?.stream;
    if (!far) throw new Error("The edge was not asked");
    const received = readAll(far);
    void near.write(patternOf(1, 5000)).then(() => near.end());
    await pair.clock.run();
    expect([received.bytes.length, received.end, pair.ended]).toEqual([5000, null, {}]);
    await Promise.all([far.end(), pair.clock.run()]);
    expect([pair.ended.agent, pair.ended.edge]).toMatchObject([
      { code: "ERR_CARRIER_LOST" },
      { code: "ERR_CARRIER_LOST" },
    ]);
  });

  it("has an agent without streams close at once [M-31]", async () => {
    const peer = await RawPeer.greeted("agent");
    await peer.tell(drain);
    expect([peer.closeCode, peer.heard()]).toEqual([CloseCode.Normal, []]);
  });

  it("serves an OPEN that crossed it on the way", async () => {
    const pair = await sessionPair();
    pair.edge.drain(1000, "stopping");
    const near = pair.agent.open(1, to, none).stream;
    await pair.clock.run();
    pair.incoming[0]?.stream.confirm({ kind: "ipv4", host: "192.0.2.1", port: 1 });
    await pair.clock.run();
    expect(await near.answer()).toMatchObject({ host: "192.0.2.1" });
  });

  it("tells the agent how long it has, and closes nothing that is in use", async () => {
    const peer = await RawPeer.greeted("agent");
    peer.session.open(1, to, none);
    await peer.tell({ type: GoAway, reason: GoAwayReason.Drain, drainMs: 250, text: "" });
    expect([peer.drains, peer.session.isOpen, peer.closeCode]).toEqual([[250], false, undefined]);
  });
});

describe("Session with two carriers", () => {
  it("shares streams, ids and credit between them", async () => {
    const { pair, second, first, other } = await onBoth();
    expect([pair.agent.linkCount, pair.edge.linkCount, pair.incoming.length]).toEqual([2, 2, 2]);
    expect([first.id, other.id]).toEqual([1, 2]);
    const received = pair.incoming.map(({ stream }) => readAll(stream));
    for (const [seed, stream] of [first, other].entries()) {
      void stream.write(patternOf(seed, 9000)).then(() => stream.end());
    }
    await settle(pair, second);
    for (const [seed, each] of received.entries())
      expect(each).toEqual({ bytes: [...patternOf(seed, 9000)], end: null });
    const onSecond = framesOf(second.carriers.sent.left).filter(({ type }) => type === Data);
    expect(onSecond.every((frame) => "streamId" in frame && frame.streamId === other.id)).toBe(
      true,
    );
  });

  it("goes on on the other when one is lost, with all that was under way [M-69]", async () => {
    const { pair, second, first, other } = await onBoth();
    const received = pair.incoming.map(({ stream }) => readAll(stream));
    for (const [seed, stream] of [first, other].entries()) {
      void stream.write(patternOf(seed, 900)).then(() => stream.end());
    }
    // Sent, and lost before it arrives.
    pair.agentLink.close("");
    pair.carriers.cut();
    await settle(pair, second);
    for (const [seed, each] of received.entries()) {
      expect(each).toEqual({ bytes: [...patternOf(seed, 900)], end: null });
    }
    expect([pair.ended, pair.agent.linkCount]).toEqual([{}, 1]);
  });

  it("is noticed within 10 s to be silent when streams wait for its answer to RESUME", async () => {
    const pair = await sessionPair(resumable, resumable);
    const second = await secondLink(pair);
    second.carriers.blackHole();
    pair.carriers.cut();
    await settle(pair, second);
    expect(pair.agent.linkCount).toBe(1);
    await second.clock.advance(10_000);
    expect(pair.agent.linkCount).toBe(0);
  });

  it("is over the resume window after it has lost the last [M-66]", async () => {
    const { pair, second, first } = await onBoth();
    pair.carriers.cut();
    second.carriers.cut();
    await pair.clock.advance(59_999);
    expect([pair.ended, pair.agent.streamCount]).toEqual([{}, 2]);
    await pair.clock.advance(1);
    for (const ended of [pair.ended.agent, pair.ended.edge]) {
      expect(ended).toMatchObject({ code: "ERR_CARRIER_LOST" });
    }
    await expect(first.read()).rejects.toMatchObject({ reason: "edge-unavailable" });
    expect([pair.agent.streamCount, pair.edge.streamCount, pair.clock.timerCount]).toEqual([
      0, 0, 0,
    ]);
  });

  it("keeps to the windows of the HELLO that began it [M-26]", async () => {
    const pair = await sessionPair(resumable, resumable);
    const second = await secondLink(
      pair,
      helloWith({ streamWindow: 5, sessionWindow: 5, maxStreams: 0 }),
    );
    pair.agent.open(1, to, none);
    await pair.clock.run();
    pair.edgeLink.drain(1000, "");
    await pair.clock.run();
    expect(pair.agent.open(1, to, new Uint8Array(2000)).sent).toBe(1000);
    await settle(pair, second);
    expect([pair.incoming.length, pair.ended]).toEqual([2, {}]);
  });

  it("refuses a stream's frame on the carrier that it is not on, CREDIT excepted [M-20]", async () => {
    const { pair, second } = await onBoth();
    second.edgeLink.message(encodeFrames({ type: Credit, streamId: 1, received: 0, limit: 1000 }));
    await settle(pair, second);
    expect(pair.edge.linkCount).toBe(2);
    second.edgeLink.message(encodeFrames({ type: Data, streamId: 1, bytes: hex("01") }));
    await settle(pair, second);
    expect(pair.ended.edge).toMatchObject({ code: "ERR_STREAM_ID" });
    expect([pair.edge.linkCount, pair.agent.linkCount]).toEqual([0, 0]);
  });

  it("takes OPENs in whatever order they arrive [M-17]", async () => {
    const pair = await sessionPair(resumable, resumable);
    const second = await secondLink(pair);
    pair.agent.open(1, to, none);
    // What the first carrier sends is under way until its clock runs; the second is faster.
    pair.agentLink.drain(1000, "");
    pair.agent.open(1, to, none);
    await second.clock.run();
    await settle(pair, second);
    expect(pair.incoming.map(({ stream }) => stream.id).toSorted((a, b) => a - b)).toEqual([1, 2]);
    expect(pair.agent.linkCount).toBe(2);
  });
});
