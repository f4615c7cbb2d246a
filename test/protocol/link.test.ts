import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "../../protocol/errors.ts";
import { decodeFrames, type Frame } from "../../protocol/frame.ts";
import { Link, type LinkHost } from "../../protocol/link.ts";
import type { Stream } from "../../protocol/stream.ts";
import { CloseCode, FrameType, GoAwayReason, MAX_MESSAGE } from "../../protocol/wire.ts";
import { frames as anyFrame, nearMisses, SEED } from "../support/arbitraries.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { encodeFrames } from "../support/frame-json.ts";
import { hex } from "../support/hex.ts";
import { RawPeer } from "../support/raw-peer.ts";
import { helloWith } from "../support/session-pair.ts";
import { patternOf } from "../support/stream-bytes.ts";

const { Hello, Ping, Pong, GoAway, Ack, Open, Data, Credit } = FrameType;
const to = { kind: "name", host: "a.example", port: 80 } as const;
const WIDE = helloWith({ streamWindow: 2 ** 30, sessionWindow: 2 ** 40, carrierWindow: 2 ** 30 });

const sizeOf = (frames: readonly Frame[]): number =>
  frames.reduce((sum, frame) => sum + (frame.type === Data ? frame.bytes.length : 0), 0);
const open = (peer: RawPeer): Stream => peer.session.open(1, to, hex("")).stream;

describe("Link, greeting", () => {
  it("has the agent say HELLO at once and nothing else until it is answered [M-8] [M-9]", async () => {
    const peer = new RawPeer("agent");
    await peer.clock.advance(9999);
    expect(peer.heard()).toEqual([{ type: Hello, hello: helloWith() }]);
    expect([peer.ended, peer.greeting]).toEqual([undefined, undefined]);
  });

  it("has the edge answer the agent's HELLO, before anything else [M-8]", async () => {
    const peer = new RawPeer("edge");
    await peer.clock.run();
    expect(peer.heard()).toEqual([]);
    const stamp = new Uint8Array(8);
    const opening: Frame = { type: Open, streamId: 1, command: 1, address: to, early: hex("") };
    await peer.tell(
      { type: Hello, hello: helloWith({ place: "x" }) },
      { type: Ping, stamp },
      opening,
    );
    expect(peer.heard()).toEqual([
      { type: Hello, hello: helloWith() },
      { type: Pong, stamp },
    ]);
    expect([peer.greeting?.place, peer.incoming.length]).toEqual(["x", 1]);
  });

  it.each(["agent", "edge"] as const)(
    "ends after 10 s without HELLO, without GOAWAY: %s [M-11]",
    async (role) => {
      const peer = new RawPeer(role);
      await peer.clock.advance(9999);
      peer.heard();
      expect(peer.closeCode).toBeUndefined();
      await peer.clock.advance(1);
      expect([peer.closeCode, peer.heard()]).toEqual([CloseCode.ProtocolError, []]);
      expect(peer.ended).toMatchObject({ name: "CarrierError", code: "ERR_CARRIER_LOST" });
      expect(peer.clock.timerCount).toBe(0);
    },
  );

  it("takes GOAWAY in the place of HELLO, without a GOAWAY of its own [M-33]", async () => {
    const peer = new RawPeer("agent");
    await peer.tell({ type: GoAway, reason: GoAwayReason.NoSuchSession, drainMs: 0, text: "who?" });
    expect(peer.ended).toMatchObject({ name: "CarrierError", code: "ERR_NO_SESSION" });
    expect([peer.closeCode, peer.heard().length]).toEqual([CloseCode.Normal, 1]);
  });

  it("says GOAWAY with the reason of whoever refuses the HELLO, and no HELLO", async () => {
    const { peer } = refusing(
      new ProtocolError("ERR_FRAME_STATE", "full", { goAway: GoAwayReason.Overloaded }),
    );
    const frames = await peer({ type: Hello, hello: helloWith() });
    expect(frames).toEqual([
      { type: GoAway, reason: GoAwayReason.Overloaded, drainMs: 0, text: "full" },
    ]);
  });
});

/** An edge's link whose host throws at HELLO; the function tells it frames and hears its answer. */
function refusing(error: Error): { peer: (...frames: Frame[]) => Promise<Frame[]> } {
  const clock = new FakeClock();
  const sent: Frame[] = [];
  const host = (): LinkHost => {
    throw error;
  };
  const options = { clock, speaksFirst: false, hello: helloWith, greet: host, failed: () => {} };
  const link = new Link(options, () => ({
    send: (message) => void sent.push(...decodeFrames(message)),
    close: () => {},
  }));
  const peer = async (...frames: Frame[]): Promise<Frame[]> => {
    link.message(encodeFrames(...frames));
    await clock.run();
    return sent;
  };
  return { peer };
}

describe("Link.message()", () => {
  it.each(["agent", "edge"] as const)(
    "never throws, and ends with GOAWAY, whatever comes: %s [M-1]",
    async (role) => {
      const messages = fc.array(
        fc.oneof(
          nearMisses,
          anyFrame.map((frame) => encodeFrames(frame)),
        ),
        {
          minLength: 1,
          maxLength: 4,
        },
      );
      const property = fc.asyncProperty(messages, fc.boolean(), async (received, isGreeted) => {
        const peer = isGreeted ? await RawPeer.greeted(role) : new RawPeer(role);
        for (const message of received) await peer.tellBytes(message);
        const { ended } = peer;
        if (ended instanceof ProtocolError) {
          expect(peer.heard().at(-1)).toMatchObject({ type: GoAway, reason: ended.goAway });
          expect([peer.closeCode, peer.clock.timerCount]).toEqual([CloseCode.ProtocolError, 0]);
        } else if (ended) {
          // Something among the bytes was a GOAWAY: an error of ours, or Drain with nothing to wait for.
          expect(["ERR_PEER_GOAWAY", "ERR_CARRIER_LOST"]).toContain(ended.code);
          expect(peer.closeCode).toBe(CloseCode.Normal);
        } else {
          expect(peer.closeCode).toBeUndefined();
        }
      });
      await fc.assert(property, { ...SEED, numRuns: 1000 });
    },
  );

  it("acts on the frames before a bad one, and on none behind it", async () => {
    const peer = await RawPeer.greeted("edge");
    const opening = (streamId: number): Frame => ({
      type: Open,
      streamId,
      command: 1,
      address: to,
      early: hex(""),
    });
    const bad: Frame = { type: Data, streamId: 9, bytes: hex("01") };
    await peer.tell(opening(1), bad, opening(2));
    expect(peer.incoming.length).toBe(1);
    expect(peer.ended).toMatchObject({ code: "ERR_STREAM_ID" });
  });

  it("takes nothing behind a GOAWAY that ends the carrier [M-32]", async () => {
    const peer = await RawPeer.greeted("edge");
    const goAway: Frame = { type: GoAway, reason: GoAwayReason.Overloaded, drainMs: 0, text: "" };
    await peer.tell(goAway, { type: Open, streamId: 1, command: 1, address: to, early: hex("") });
    expect([peer.incoming, peer.closeCode]).toEqual([[], CloseCode.Normal]);
  });

  it("turns an error of its own side into GOAWAY too", async () => {
    const { peer } = refusing(new TypeError("a bug"));
    expect(await peer({ type: Hello, hello: helloWith() })).toMatchObject([
      { type: GoAway, text: "a bug" },
    ]);
  });

  it("says nothing and does nothing once the carrier has ended", async () => {
    const peer = await RawPeer.greeted("edge");
    peer.link.closed(1006, "");
    await peer.tell({ type: Ping, stamp: new Uint8Array(8) });
    peer.link.drain(1000, "");
    await peer.clock.advance(300_000);
    expect([peer.heard(), peer.clock.timerCount, peer.link.isDraining]).toEqual([[], 0, true]);
    expect(peer.ended).toMatchObject({ code: "ERR_CARRIER_LOST" });
  });

  it.each([GoAwayReason.ProtocolError, GoAwayReason.Overloaded, 200])(
    "closes with 1000 on GOAWAY %i and does not answer it [M-33] [M-64]",
    async (reason) => {
      const peer = await RawPeer.greeted("agent");
      await peer.tell({ type: GoAway, reason, drainMs: 0, text: "bye" });
      expect([peer.closeCode, peer.heard()]).toEqual([CloseCode.Normal, []]);
      expect(peer.ended).toMatchObject({ code: "ERR_PEER_GOAWAY" });
    },
  );
});

describe("Link, PING", () => {
  it("answers with the same stamp; of several that wait, the last [M-27]", async () => {
    const peer = await RawPeer.greeted("edge");
    const stamps = [1, 2, 3].map((byte) => new Uint8Array(8).fill(byte));
    await peer.tell(...stamps.map((stamp): Frame => ({ type: Ping, stamp })));
    expect(peer.heard()).toEqual([{ type: Pong, stamp: stamps[2] }]);
  });

  it("goes from the agent every 30 s, never from the edge", async () => {
    const [agent, edge] = [await RawPeer.greeted("agent"), await RawPeer.greeted("edge")];
    await agent.clock.advance(60_000);
    await edge.clock.advance(60_000);
    expect([agent.heard().map(({ type }) => type), edge.heard()]).toEqual([[Ping, Ping], []]);
  });

  it("goes soon when nothing comes of a RESUME behind HELLO", async () => {
    const hello = helloWith({ resumeWindow: 60, carrier: 2 });
    const entries = [{ carrier: 1, received: 0 }];
    const peer = new RawPeer("agent", hello, { type: FrameType.Resume, entries });
    await peer.tell({ type: FrameType.Hello, hello });
    await peer.clock.advance(10_000);
    expect([peer.heard().at(-1)?.type, peer.closeCode]).toEqual([Ping, CloseCode.PingTimeout]);
  });

  it("measures the round trip", async () => {
    const peer = await RawPeer.greeted("agent");
    await peer.clock.advance(30_025);
    const [ping] = peer.heard();
    if (ping?.type !== Ping) throw new Error("There was no PING");
    await peer.tell({ type: Pong, stamp: ping.stamp });
    expect(peer.link.roundTripMs).toBe(25);
  });

  it.each(["agent", "edge"] as const)(
    "closes with 4000 after 90 s of silence: %s [M-28]",
    async (role) => {
      const peer = await RawPeer.greeted(role);
      await peer.clock.advance(89_999);
      expect(peer.closeCode).toBeUndefined();
      await peer.clock.advance(1);
      expect([peer.closeCode, peer.clock.timerCount]).toEqual([CloseCode.PingTimeout, 0]);
      expect(peer.ended).toMatchObject({ name: "CarrierError", code: "ERR_CARRIER_LOST" });
    },
  );
});

describe("Link, carrier window", () => {
  it("has no more DATA in flight than the peer's window, and goes on with each ACK [M-54]", async () => {
    const peer = await RawPeer.greeted("agent", WIDE, { ...WIDE, carrierWindow: 2000 });
    void open(peer).write(patternOf(1, 10_000));
    await peer.clock.run();
    expect(sizeOf(peer.heard())).toBe(2000);
    await peer.tell({ type: Ack, received: 700, frames: 0 });
    expect(sizeOf(peer.heard())).toBe(700);
    await peer.tell({ type: Ack, received: 600, frames: 0 }, { type: Ack, received: 0, frames: 0 });
    expect(sizeOf(peer.heard())).toBe(0);
    await peer.tell({ type: Ack, received: 2700, frames: 0 });
    expect(sizeOf(peer.heard())).toBe(2000);
  });

  it("treats an ACK of more than was sent as a violation [M-36]", async () => {
    const peer = await RawPeer.greeted("agent", WIDE, { ...WIDE, carrierWindow: 2000 });
    void open(peer)
      .write(patternOf(1, 1000))
      .catch(() => {});
    await peer.clock.run();
    await peer.tell({ type: Ack, received: 1001, frames: 0 });
    expect(peer.ended).toMatchObject({ name: "ProtocolError", code: "ERR_FRAME_FIELD" });
  });

  it("acknowledges each half of its own window, read or not [M-60]", async () => {
    const peer = await RawPeer.greeted("edge", { ...WIDE, carrierWindow: 2000 });
    const data: Frame = { type: Data, streamId: 1, bytes: new Uint8Array(999) };
    await peer.tell(
      { type: Open, streamId: 1, command: 1, address: to, early: new Uint8Array(5000) },
      data,
    );
    expect(peer.heard()).toEqual([]);
    await peer.tell({ ...data, bytes: hex("01") });
    expect(peer.heard()).toEqual([{ type: Ack, received: 1000, frames: 3 }]);
  });

  it("treats DATA beyond it as a violation [M-55]", async () => {
    const peer = await RawPeer.greeted("edge", { ...WIDE, carrierWindow: 2000 });
    const data: Frame = { type: Data, streamId: 1, bytes: new Uint8Array(2001) };
    await peer.tell({ type: Open, streamId: 1, command: 1, address: to, early: hex("") }, data);
    expect(peer.ended).toMatchObject({ code: "ERR_CREDIT_EXCEEDED" });
  });
});

describe("Link, messages", () => {
  it("puts what is ready in one turn into one message, control frames first", async () => {
    const peer = await RawPeer.greeted("agent", WIDE, WIDE);
    const streams = [open(peer), open(peer), open(peer)];
    for (const stream of streams) void stream.write(hex("01"));
    await peer.clock.run();
    expect(peer.messages.length).toBe(2);
    expect(peer.heard().map(({ type }) => type)).toEqual([Open, Open, Open, Data, Data, Data]);
  });

  it("never exceeds MAX_MESSAGE, nor puts DATA before its OPEN [M-7]", async () => {
    const peer = await RawPeer.greeted("agent", WIDE, { ...WIDE, maxStreams: 100 });
    for (let count = 0; count < 20; count++) {
      const { stream, sent } = peer.session.open(1, to, new Uint8Array(300_000));
      expect(sent).toBeGreaterThan(260_000);
      void stream.write(new Uint8Array(300_000));
    }
    await peer.clock.run();
    expect(Math.max(...peer.messages.map(({ length }) => length))).toBeLessThanOrEqual(MAX_MESSAGE);
    const opened = new Set<number>();
    for (const frame of peer.heard()) {
      if (frame.type === Open) opened.add(frame.streamId);
      if (frame.type === Data) expect(opened).toContain(frame.streamId);
    }
  });

  it("lets a keystroke go before the rest of a download that was first", async () => {
    const peer = await RawPeer.greeted("agent", WIDE, WIDE);
    const [bulk, key] = [open(peer), open(peer)];
    void bulk.write(new Uint8Array(1_000_000));
    void key.write(hex("61"));
    await peer.clock.run();
    const order = peer.heard().flatMap((frame) => (frame.type === Data ? [frame] : []));
    expect(order.slice(0, 3).map(({ streamId }) => streamId)).toEqual([bulk.id, key.id, bulk.id]);
    const lengths = order.map(({ bytes }) => bytes.length);
    expect(lengths[0]).toBe(65_536);
    // Behind it, the download has whole messages for itself.
    expect(Math.max(...lengths)).toBeGreaterThan(130_000);
  });

  it("gives up with GOAWAY(Overloaded) when too many frames wait to be sent", async () => {
    const peer = await RawPeer.greeted("edge");
    const credit: Frame = { type: Credit, streamId: 0, received: 0, limit: 0 };
    for (let count = 0; count <= 65_536; count++) peer.link.control(credit);
    await peer.clock.run();
    expect(peer.ended).toMatchObject({ name: "ProtocolError", goAway: GoAwayReason.Overloaded });
    expect(peer.heard()).toMatchObject([{ type: GoAway, reason: GoAwayReason.Overloaded }]);
  });
});

describe("Link.close()", () => {
  it("sends what is ready, then closes with 1000", async () => {
    const peer = await RawPeer.greeted("agent", WIDE, WIDE);
    void open(peer).write(hex("01"));
    peer.link.close("done");
    expect(peer.heard().map(({ type }) => type)).toEqual([Open, Data]);
    await peer.clock.run();
    expect([peer.closeCode, peer.session.streamCount, peer.clock.timerCount]).toEqual([
      CloseCode.Normal,
      0,
      0,
    ]);
  });
});
