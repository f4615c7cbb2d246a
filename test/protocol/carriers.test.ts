import { describe, expect, it } from "vitest";
import type { Frame } from "../../protocol/frame.ts";
import { decodeFrames } from "../../protocol/frame.ts";
import { CloseCode, FrameType, GoAwayReason } from "../../protocol/wire.ts";
import { hex } from "../support/hex.ts";
import { LossySession } from "../support/lossy-session.ts";
import { RawPeer } from "../support/raw-peer.ts";
import { helloWith } from "../support/session-pair.ts";
import { fateOf, patternOf, readAll } from "../support/stream-bytes.ts";

const { Resume, GoAway, Open, Data, Ack } = FrameType;
const to = { kind: "name", host: "a.example", port: 80 } as const;
const bound = { kind: "ipv4", host: "192.0.2.1", port: 1 } as const;
const none = hex("");
const resumable = helloWith({ resumeWindow: 60, carrier: 1, carrierWindow: 100_000 });
const wide = helloWith({ streamWindow: 50_000, sessionWindow: 200_000, carrierWindow: 100_000 });
const resume = (...entries: { carrier: number; received: number }[]): Frame => ({
  type: Resume,
  entries,
});

const framesOf = (messages: readonly Uint8Array[]): Frame[] =>
  messages.flatMap((message) => [...decodeFrames(message)]);

/** A session whose agent has one carrier, greeted. */
async function begun(): Promise<LossySession> {
  const session = new LossySession(wide, wide);
  session.dial();
  await session.settle();
  return session;
}

function endsOf({ agent, edge }: LossySession) {
  if (!agent || !edge) throw new Error("The session has not begun");
  return { agent, edge };
}

describe("Carriers.resume()", () => {
  it("goes on on the next carrier with an OPEN that was lost, and answers it once [M-69]", async () => {
    const session = await begun();
    const { agent } = endsOf(session);
    const { stream } = agent.open(1, to, hex("01"));
    await session.clock.run();
    session.carriers[0]?.lose("both");
    expect(session.incoming).toEqual([]);
    session.dial();
    await session.settle();
    expect(session.incoming).toHaveLength(1);
    session.incoming[0]?.stream.confirm(bound);
    await session.settle();
    expect(await stream.answer()).toEqual(bound);
  });

  it("says RESUME behind HELLO, before the edge has answered [M-80]", async () => {
    const session = await begun();
    session.carriers[0]?.lose("both");
    const next = session.dial();
    await session.clock.run();
    expect(framesOf(next.sent.up).map(({ type }) => type)).toEqual([FrameType.Hello, Resume]);
    await session.settle();
    expect(framesOf(next.sent.down).slice(1, 2)).toEqual([resume({ carrier: 1, received: 0 })]);
  });

  it("ends its own end of a carrier that the agent has lost", async () => {
    const session = await begun();
    const { edge } = endsOf(session);
    session.carriers[0]?.lose("agent");
    expect(edge.linkCount).toBe(1);
    session.dial();
    await session.settle();
    expect([edge.linkCount, session.ended]).toEqual([1, {}]);
  });

  it("brings a half-closed stream to its other end [M-69]", async () => {
    const session = await begun();
    const { stream } = endsOf(session).agent.open(1, to, none);
    await session.settle();
    const far = session.incoming[0]?.stream;
    if (!far) throw new Error("The edge was not asked");
    void far.end();
    await session.settle();
    // The download has ended, and is heard of; the upload and its FIN are lost on the way.
    void stream.write(patternOf(1, 3000)).then(() => stream.end());
    await session.clock.run();
    session.carriers[0]?.lose("both");
    session.dial();
    const received = readAll(far);
    await session.settle();
    expect(received).toEqual({ bytes: [...patternOf(1, 3000)], end: null });
    expect(await stream.read()).toBeNull();
    expect(endsOf(session).edge.streamCount).toBe(0);
  });

  it("tells of a RESET that was said while there was no carrier", async () => {
    const session = await begun();
    const { stream } = endsOf(session).agent.open(1, to, none);
    await session.settle();
    const fate = fateOf(session.incoming[0]?.stream.read() ?? Promise.resolve(null));
    session.carriers[0]?.lose("both");
    stream.abort(new Error("enough"));
    session.dial();
    await session.settle();
    expect(fate.now).toMatchObject({ reason: "connection-reset" });
    expect(endsOf(session).edge.streamCount).toBe(0);
  });

  it("gives an association its datagrams again, those under way included", async () => {
    const session = await begun();
    const { stream } = endsOf(session).agent.open(3, to, none);
    await session.settle();
    const far = session.incoming[0]?.stream;
    const got: Uint8Array[] = [];
    far?.onDatagram((_from, bytes) => void got.push(bytes.slice()));
    stream.sendDatagram(to, hex("01"));
    await session.clock.run();
    session.carriers[0]?.lose("both");
    session.dial();
    await session.settle();
    stream.sendDatagram(to, hex("02"));
    await session.settle();
    expect(got).toEqual([hex("01"), hex("02")]);
  });

  it("settles several carriers in one RESUME when each heir was lost in turn", async () => {
    const session = await begun();
    const { agent, edge } = endsOf(session);
    agent.open(1, to, hex("0102"));
    await session.clock.run();
    for (let lost = 0; lost < 3; lost++) {
      session.carriers[lost]?.lose("agent");
      const next = session.dial();
      await session.clock.run();
      // The edge hears of it, its answer is lost.
      next.deliver("up", Infinity);
      await session.clock.run();
    }
    session.carriers[3]?.lose("agent");
    session.dial();
    await session.settle();
    expect([session.incoming.length, agent.linkCount, edge.linkCount, session.ended]).toEqual([
      1,
      1,
      1,
      {},
    ]);
    await session.clock.advance(2500);
    await session.settle();
    expect([agent.retained, edge.retained]).toEqual([0, 0]);
  });
});

describe("Carriers, a peer that breaks the rules of RESUME", () => {
  const refused = { name: "ProtocolError", code: "ERR_FRAME_FIELD" };

  it("is refused when it answers for what was not asked [M-81]", async () => {
    const peer = await RawPeer.greeted("agent", resumable, resumable);
    await peer.tell(resume({ carrier: 7, received: 0 }));
    expect(peer.ended).toMatchObject(refused);
  });

  it("is refused when it resumes a carrier on itself [M-81]", async () => {
    const peer = await RawPeer.greeted("edge", resumable, resumable);
    await peer.tell(resume({ carrier: 1, received: 0 }));
    expect(peer.ended).toMatchObject(refused);
    expect(peer.closeCode).toBe(CloseCode.ProtocolError);
  });

  it("is refused when it resumes a carrier of the number 0", async () => {
    const peer = await RawPeer.greeted("edge", resumable, resumable);
    await peer.tell(resume({ carrier: 0, received: 0 }));
    expect(peer.heard()).toMatchObject([{ type: GoAway, reason: GoAwayReason.NoSuchSession }]);
  });

  it("is refused when it states more frames than were sent", async () => {
    const session = await begun();
    session.carriers[0]?.lose("both");
    const next = session.dial();
    await session.clock.run();
    // As the agent would say it, with another number.
    const lie = framesOf(next.sent.up).map((frame) =>
      frame.type === Resume ? resume({ carrier: 1, received: 1 }) : frame,
    );
    next.forge("up", lie);
    await session.settle();
    expect(session.ended.edge).toMatchObject(refused);
  });
});

describe("Carriers, ACK where a session can be resumed", () => {
  const data = (bytes: Uint8Array): Frame => ({ type: Data, streamId: 1, bytes });
  const open: Frame = { type: Open, streamId: 1, command: 1, address: to, early: none };

  it("comes 2 s after a frame at the latest [M-76]", async () => {
    const peer = await RawPeer.greeted("edge", resumable, resumable);
    await peer.tell(open, data(hex("01")));
    expect(peer.heard()).toEqual([]);
    await peer.clock.advance(2000);
    expect(peer.heard()).toEqual([{ type: Ack, received: 1, frames: 2 }]);
    await peer.clock.advance(2000);
    expect(peer.heard()).toEqual([]);
  });

  it("goes along with a message that is sent anyway", async () => {
    const peer = await RawPeer.greeted("edge", resumable, resumable);
    await peer.tell(open);
    peer.incoming[0]?.stream.confirm(bound);
    await peer.clock.run();
    expect(peer.heard().map(({ type }) => type)).toEqual([Ack, FrameType.Opened]);
  });

  it("is owed by the peer: one that never says it is left with GOAWAY(Overloaded)", async () => {
    const peer = await RawPeer.greeted("agent", resumable, resumable);
    const { stream } = peer.session.open(1, to, none);
    const far = { ...to, host: `${"long.".repeat(48)}example` };
    for (let sent = 0; sent < 40_000 && !peer.ended; sent++) {
      peer.session.open(1, far, none).stream.abort(new Error("enough"));
      if (sent % 500 === 0) await peer.clock.run();
    }
    expect(peer.ended).toMatchObject({ goAway: GoAwayReason.Overloaded });
    await expect(stream.read()).rejects.toMatchObject({ reason: "edge-unavailable" });
  });
});

describe("Session without a carrier", () => {
  it("resets the streams that hold most when they hold too much [M-83]", async () => {
    const session = new LossySession(wide, wide, 40_000);
    session.dial();
    await session.settle();
    const { agent } = endsOf(session);
    const streams = [30_000, 15_000].map((bytes) => {
      const { stream } = agent.open(1, to, none);
      void stream.write(patternOf(1, bytes)).catch(() => {});
      return stream;
    });
    await session.settle();
    await session.clock.advance(2500);
    await session.settle();
    session.carriers[0]?.lose("both");
    expect(endsOf(session).edge.held).toBe(15_000);
    session.dial();
    await session.settle();
    await expect(streams[0]?.read()).rejects.toMatchObject({ reason: "connection-reset" });
    expect([agent.streamCount, session.ended]).toEqual([1, {}]);
  });

  it("counts what waits to be sent, too, and what is added to it meanwhile [M-83]", async () => {
    const session = new LossySession(helloWith({ ...wide, streamWindow: 1000 }), wide, 40_000);
    session.dial();
    await session.settle();
    const { agent, edge } = endsOf(session);
    for (let count = 0; count < 4; count++) agent.open(1, to, none);
    await session.settle();
    const write = (index: number) =>
      fateOf(
        session.incoming[index]?.stream.write(patternOf(1, 16_000 - index)) ?? Promise.reject(),
      );
    const fates = [write(0), write(1), write(2)];
    await session.settle();
    session.carriers[0]?.lose("both");
    await session.clock.run();
    expect(fates.map(({ now }) => now === "pending")).toEqual([false, true, true]);
    const late = write(3);
    await session.clock.advance(1000);
    // The others have sent a part.
    expect([...fates.slice(1), late].map(({ now }) => now === "pending")).toEqual([
      true,
      true,
      false,
    ]);
    expect(edge.held).toBeLessThanOrEqual(40_000);
  });

  it("leaves nothing behind when it is closed, at either end", async () => {
    const session = await begun();
    const { agent, edge } = endsOf(session);
    agent.open(1, to, none);
    await session.settle();
    session.carriers[0]?.lose("both");
    agent.close("stopped");
    edge.close("stopped");
    expect([agent.streamCount, edge.streamCount, session.clock.timerCount]).toEqual([0, 0, 0]);
    expect(session.ended).toMatchObject({
      agent: { code: "ERR_CARRIER_LOST" },
      edge: { code: "ERR_CARRIER_LOST" },
    });
  });

  it("says SessionOver when it is closed, so that the other end keeps nothing", async () => {
    const session = await begun();
    const { agent, edge } = endsOf(session);
    agent.close("stopped");
    await session.settle();
    expect([edge.isOver, session.clock.timerCount]).toEqual([true, 0]);
    expect(session.ended.edge).toMatchObject({ code: "ERR_PEER_GOAWAY" });
  });
});
