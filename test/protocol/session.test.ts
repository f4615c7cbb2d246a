import { describe, expect, it } from "vitest";
import { StreamError } from "../../protocol/errors.ts";
import { decodeFrames, type Frame } from "../../protocol/frame.ts";
import { Session } from "../../protocol/session.ts";
import type { Stream } from "../../protocol/stream.ts";
import { FrameType, MAX_STREAM_ID } from "../../protocol/wire.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { hex } from "../support/hex.ts";
import { RawPeer } from "../support/raw-peer.ts";
import { helloWith, type SessionPair, sessionPair } from "../support/session-pair.ts";
import { fateOf, patternOf, readAll } from "../support/stream-bytes.ts";

const { Open, Data, Fin, Reset, Credit, Opened, Failed, Datagram } = FrameType;
const to = { kind: "name", host: "a.example", port: 80 } as const;
const bound = { kind: "ipv4", host: "192.0.2.1", port: 1 } as const;
const none = hex("");
const opening = (streamId: number, early = none): Frame => ({
  type: Open,
  streamId,
  command: 1,
  address: to,
  early,
});

/** A stream of the pair, by both of its ends. */
async function opened(pair: SessionPair): Promise<{ near: Stream; far: Stream }> {
  const near = pair.agent.open(1, to, none).stream;
  await pair.clock.run();
  const far = pair.incoming.at(-1)?.stream;
  if (!far) throw new Error("The edge was not asked");
  return { near, far };
}

describe("Session.open()", () => {
  it("asks the edge, and tells what it answers", async () => {
    const { agent, clock, incoming } = await sessionPair();
    const [yes, no] = [agent.open(2, to, none).stream, agent.open(1, to, none).stream];
    await clock.run();
    expect(incoming.map(({ command, address }) => [command, address])).toEqual([
      [2, to],
      [1, to],
    ]);
    incoming[0]?.stream.confirm(bound);
    incoming[1]?.stream.refuse("denied", "not there");
    expect(
      await Promise.all([yes.answer(), no.answer().catch((error: unknown) => error), clock.run()]),
    ).toMatchObject([bound, { reason: "denied", message: "not there" }, undefined]);
    expect(agent.streamCount).toBe(1);
  });

  it("sends as much early data as stream and session credit allow, and counts it [M-39]", async () => {
    const { agent, clock, incoming } = await sessionPair(
      helloWith(),
      helloWith({ sessionWindow: 1500 }),
    );
    const early = patternOf(1, 5000);
    const sent = [
      agent.open(1, to, early).sent,
      agent.open(1, to, early).sent,
      agent.open(1, to, early).sent,
    ];
    early.fill(0);
    expect([sent, agent.credit.available]).toEqual([[1000, 500, 0], 0]);
    await clock.run();
    expect(await incoming[0]?.stream.read()).toEqual(patternOf(1, 1000));
    expect(await incoming[1]?.stream.read()).toEqual(patternOf(1, 500));
  });

  it("opens no more streams than the edge allows, and one more when one has ended [M-38]", async () => {
    const pair = await sessionPair(helloWith(), helloWith({ maxStreams: 2 }));
    const { near } = await opened(pair);
    await opened(pair);
    expect(() => pair.agent.open(1, to, none)).toThrow(
      expect.objectContaining({ reason: "edge-unavailable" }),
    );
    near.abort(new Error("enough"));
    expect(() => pair.agent.open(1, to, none)).not.toThrow();
    await pair.clock.run();
    expect([pair.ended, pair.edge.streamCount]).toEqual([{}, 2]);
  });

  it("fails without a carrier", () => {
    const session = new Session({
      clock: new FakeClock(),
      local: helloWith(),
      remote: helloWith(),
      closed: () => {},
    });
    expect(session.isOpen).toBe(false);
    expect(() => session.open(1, to, none)).toThrow(
      expect.objectContaining({ reason: "edge-unavailable" }),
    );
  });
});

describe("Session.handle()", () => {
  it("passes over late frames of every type, and gives the credit of late DATA back [M-62] [M-59]", async () => {
    const peer = await RawPeer.greeted("edge");
    await peer.tell(opening(1));
    peer.incoming[0]?.stream.abort(new StreamError("cancelled", "enough"));
    await peer.clock.run();
    expect(peer.heard()).toEqual([{ type: Reset, streamId: 1, reason: "cancelled" }]);
    await peer.tell(
      { type: Data, streamId: 1, bytes: new Uint8Array(1000) },
      { type: Data, streamId: 1, bytes: new Uint8Array(999) },
      { type: Fin, streamId: 1, finalOffset: 7 },
      { type: Reset, streamId: 1, reason: "general" },
      { type: Credit, streamId: 1, received: 0, limit: 9 },
      { type: Datagram, streamId: 1, address: bound, bytes: none },
    );
    await peer.tell({ type: Data, streamId: 1, bytes: hex("01") });
    const session = { type: Credit, streamId: 0, received: 2000, limit: 6000 };
    expect(peer.heard().filter(({ type }) => type === Credit)).toEqual([session]);
    expect(peer.ended).toBeUndefined();
  });

  it.each([Data, Fin, Reset, Opened, Failed, Datagram])(
    "refuses type %i of a stream never opened [M-19]",
    async (type) => {
      const frames: Record<number, Frame> = {
        [Data]: { type: Data, streamId: 2, bytes: none },
        [Fin]: { type: Fin, streamId: 2, finalOffset: 0 },
        [Reset]: { type: Reset, streamId: 2, reason: "general" },
        [Opened]: { type: Opened, streamId: 2, bound },
        [Failed]: { type: Failed, streamId: 2, reason: "general", text: "" },
        [Datagram]: { type: Datagram, streamId: 2, address: to, bytes: none },
      };
      const peer = await RawPeer.greeted("edge");
      await peer.tell(opening(1), frames[type] ?? opening(1));
      expect(peer.ended).toMatchObject({ name: "ProtocolError", code: "ERR_STREAM_ID" });
    },
  );

  it("passes over CREDIT of any stream that is not open, and CREDIT that says nothing new [M-50]", async () => {
    const peer = await RawPeer.greeted("agent", helloWith(), helloWith({ streamWindow: 10 }));
    const { stream } = peer.session.open(1, to, none);
    void stream.write(new Uint8Array(100));
    await peer.tell({ type: Credit, streamId: 9, received: 0, limit: 1000 });
    peer.heard();
    const credit: Frame = { type: Credit, streamId: 1, received: 10, limit: 15 };
    await peer.tell(credit, credit, { ...credit, limit: 3 });
    expect(peer.heard()).toEqual([{ type: Data, streamId: 1, bytes: new Uint8Array(5) }]);
    expect(peer.ended).toBeUndefined();
  });

  it("drops a DATAGRAM of an open stream, as nothing here can pass it on [M-51]", async () => {
    const peer = await RawPeer.greeted("edge");
    await peer.tell(opening(1), { type: Datagram, streamId: 1, address: to, bytes: hex("01") });
    expect([peer.ended, peer.heard(), peer.session.streamCount]).toEqual([undefined, [], 1]);
  });

  it("passes over OPENED from an agent, and takes FAILED from it as RESET [M-42] [M-44]", async () => {
    const peer = await RawPeer.greeted("edge");
    await peer.tell(opening(1), { type: Opened, streamId: 1, bound });
    expect([peer.ended, peer.session.streamCount]).toEqual([undefined, 1]);
    await peer.tell({ type: Failed, streamId: 1, reason: "general", text: "" });
    expect([peer.ended, peer.session.streamCount, peer.heard()]).toEqual([undefined, 0, []]);
  });

  it("lets ids leap, up to the highest [M-17]", async () => {
    const peer = await RawPeer.greeted("edge");
    await peer.tell(opening(5), opening(1000), opening(MAX_STREAM_ID));
    expect(peer.incoming.map(({ stream }) => stream.id)).toEqual([5, 1000, MAX_STREAM_ID]);
  });
});

describe("Session, ending streams", () => {
  it("half-closes each way on its own, with bytes long after the other FIN", async () => {
    const pair = await sessionPair();
    const { near, far } = await opened(pair);
    const [atNear, atFar] = [readAll(near), readAll(far)];
    await near.end();
    await pair.clock.run();
    expect([atFar.end, atNear.end, pair.agent.streamCount]).toEqual([null, undefined, 1]);
    const writing = far.write(patternOf(2, 7000)).then(() => far.end());
    await pair.clock.run();
    await writing;
    expect(atNear).toEqual({ bytes: [...patternOf(2, 7000)], end: null });
    expect([pair.agent.streamCount, pair.edge.streamCount, pair.ended]).toEqual([0, 0, {}]);
  });

  it("returns the session's credit when a stream with unread bytes is reset, by either side [M-48]", async () => {
    for (const side of ["near", "far"] as const) {
      const pair = await sessionPair();
      for (let round = 0; round < 10; round++) {
        const ends = await opened(pair);
        const writing = fateOf(ends.near.write(new Uint8Array(1000)));
        await pair.clock.run();
        expect(writing.now, `round ${round}`).toBeUndefined();
        ends[side].abort(new Error("gone"));
        await pair.clock.run();
      }
      expect([pair.ended, pair.agent.credit.available > 2000]).toEqual([{}, true]);
    }
  });

  it("returns it when the reader gives up a stream that both sides have ended [M-59]", async () => {
    const pair = await sessionPair();
    for (let round = 0; round < 10; round++) {
      const { near, far } = await opened(pair);
      const writing = fateOf(near.write(new Uint8Array(1000)));
      await pair.clock.run();
      expect(writing.now, `round ${round}`).toBeUndefined();
      await Promise.all([near.end(), far.end(), pair.clock.run()]);
      far.abort(new Error("The target has gone"));
      await pair.clock.run();
    }
  });
});

describe("Session, fairness", () => {
  it("has a reader that stands still hold its window and hinder nobody [M-54]", async () => {
    const pair = await sessionPair();
    const [still, brisk] = [await opened(pair), await opened(pair)];
    const stuck = fateOf(still.near.write(new Uint8Array(5000)));
    const received = readAll(brisk.far);
    const writing = brisk.near.write(patternOf(3, 30_000)).then(() => brisk.near.end());
    await pair.clock.run();
    await writing;
    expect(received).toEqual({ bytes: [...patternOf(3, 30_000)], end: null });
    const sent = pair.carriers.sent.left.flatMap((message) => [...decodeFrames(message)]);
    const held = sent.reduce(
      (sum, frame) =>
        sum + (frame.type === Data && frame.streamId === still.near.id ? frame.bytes.length : 0),
      0,
    );
    expect([held, stuck.now]).toEqual([1000, "pending"]);
  });

  it("goes on while streams that stand still hold more than half of the session [M-57]", async () => {
    const pair = await sessionPair();
    for (let count = 0; count < 3; count++) {
      const { near } = await opened(pair);
      void near.write(new Uint8Array(5000)).catch(() => {});
    }
    const brisk = await opened(pair);
    const received = readAll(brisk.far);
    const writing = fateOf(brisk.near.write(patternOf(3, 5000)));
    await pair.clock.run();
    expect([received.bytes.length, writing.now]).toEqual([5000, undefined]);
  });

  it.each(["DATA", "early data"])(
    "goes on when the %s of such a stream used up the last of the credit [M-57]",
    async (what) => {
      const pair = await sessionPair();
      const brisk = await opened(pair);
      const received = readAll(brisk.far);
      void brisk.near.write(patternOf(3, 900));
      await pair.clock.run();
      // 3,100 bytes that nobody reads, behind 900 that were read: the limit of 4,000.
      for (const length of [1000, 1000, 1000, 100]) {
        if (what === "early data") pair.agent.open(1, to, new Uint8Array(length));
        else void (await opened(pair)).near.write(new Uint8Array(length));
      }
      await pair.clock.run();
      const writing = fateOf(brisk.near.write(patternOf(4, 100)));
      await pair.clock.run();
      expect([received.bytes.length, writing.now]).toEqual([1000, undefined]);
    },
  );
});
