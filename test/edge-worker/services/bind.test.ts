import { describe, expect, it } from "vitest";
import { parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { Command, FrameType } from "../../../protocol/wire.ts";
import { framesOf } from "../../support/agent-end.ts";
import { greetedBridge } from "../../support/bridge-parts.ts";
import { hex, toHex } from "../../support/hex.ts";
import { type FakeListening, FullEgress, servingBridge } from "../../support/service-parts.ts";
import { fateOf, readAll } from "../../support/stream-bytes.ts";

const expected = parseAddress("198.51.100.1", 0);
const peer = parseAddress("198.51.100.1", 2000);
const bound = parseAddress("192.0.2.7", 4000);

/** A stream of BIND that has got its first answer. */
async function listeningBridge() {
  const parts = await servingBridge(Command.Bind, expected);
  const [listening] = parts.egress.listenings;
  return { ...parts, listening: listening as FakeListening };
}

/** The types of the frames that the edge sent of its streams, and the reason of the last. */
function told(messages: readonly Uint8Array[]): { types: number[]; reason: string | undefined } {
  const frames = framesOf(messages).filter(({ type }) => type > 0x10 && type !== FrameType.Credit);
  const last = frames.at(-1);
  const reason = last && "reason" in last ? String(last.reason) : undefined;
  return { types: frames.map(({ type }) => type), reason };
}

describe("serveBind()", () => {
  it("answers where it listens, then who came, and relays both ways", async () => {
    const { clock, stream, listening, first } = await listeningBridge();
    expect(listening.peer).toEqual(expected);
    expect(first.now).toEqual(bound);
    const second = fateOf(stream.answer());
    await clock.advance(60_000);
    expect(second.now).toBe("pending");
    listening.accept(peer);
    await clock.run();
    expect(second.now).toEqual(peer);
    const received = readAll(stream);
    void stream.write(hex("0102")).then(() => stream.end());
    listening.channel.arrive(hex("0304"));
    listening.channel.farEnd();
    await clock.run();
    expect(toHex(listening.channel.written)).toBe("0102");
    expect(listening.channel.hasEnded).toBe(true);
    expect(received).toEqual({ bytes: [3, 4], end: null });
  });

  it("hands to the peer what the agent sent before it came", async () => {
    const { clock, stream, listening } = await listeningBridge();
    void stream.write(hex("0102")).then(() => stream.end());
    await clock.run();
    listening.accept(peer);
    await clock.run();
    expect(toHex(listening.channel.written)).toBe("0102");
    expect(listening.channel.hasEnded).toBe(true);
  });

  it("gives the peer up after two minutes, by FAILED", async () => {
    const { clock, stream, listening, agent } = await listeningBridge();
    const second = fateOf(stream.answer());
    await clock.advance(119_999);
    expect(second.now).toBe("pending");
    await clock.advance(1);
    expect(second.now).toMatchObject({ reason: "timed-out" });
    expect(listening.signal.reason).toMatchObject({
      reason: "timed-out",
      message: "Cannot bind: nobody connected within 120 s",
    });
    expect(told(agent.carriers.sent.right)).toEqual({
      types: [FrameType.Opened, FrameType.Failed],
      reason: "timed-out",
    });
  });

  it("leaves an accepted peer as much time as it likes", async () => {
    const { clock, stream, listening } = await listeningBridge();
    listening.accept(peer);
    await clock.advance(200_000);
    expect(listening.signal.aborted).toBe(false);
    expect(listening.channel.abortReason).toBeUndefined();
    const received = readAll(stream);
    listening.channel.arrive(hex("05"));
    await clock.run();
    expect(received.bytes).toEqual([5]);
  });

  it("resets the stream when the listening ends without a peer", async () => {
    const { clock, stream, listening, session } = await listeningBridge();
    const second = fateOf(stream.answer());
    listening.fail(new StreamError("network-unreachable", "Cannot bind: ENETDOWN"));
    await clock.run();
    expect(second.now).toMatchObject({ reason: "network-unreachable" });
    expect(session.streamCount).toBe(0);
  });

  it("resets the stream when the peer breaks off", async () => {
    const { clock, stream, listening } = await listeningBridge();
    listening.accept(peer);
    await clock.run();
    const received = readAll(stream);
    listening.channel.breakOff();
    await clock.run();
    expect(received.end).toMatchObject({ reason: "connection-reset" });
  });

  it("stops listening when the agent takes the stream back, and leaves its timer behind", async () => {
    const { clock, stream, listening, agent } = await listeningBridge();
    const timers = clock.timerCount;
    stream.abort(new StreamError("cancelled", "The client left"));
    await clock.run();
    expect(listening.signal.reason).toMatchObject({ reason: "cancelled" });
    expect(clock.timerCount).toBe(timers - 1);
    expect(told(agent.carriers.sent.right).types).toEqual([FrameType.Opened]);
  });

  it("stops listening when the carrier is lost, and leaves no timer", async () => {
    const { clock, listening, agent } = await listeningBridge();
    agent.carriers.cut();
    await clock.run();
    expect(listening.signal.aborted).toBe(true);
    expect(clock.timerCount).toBe(0);
  });

  it("cuts a peer that comes when the agent has just left", async () => {
    const { clock, stream, listening } = await listeningBridge();
    stream.abort(new StreamError("cancelled", "The client left"));
    listening.accept(peer);
    await clock.run();
    expect(listening.channel.abortReason).toBeDefined();
  });

  it("answers FAILED when it cannot listen, and leaves no timer", async () => {
    const egress = new FullEgress();
    egress.failure = new StreamError("network-unreachable", "Cannot bind: EADDRNOTAVAIL");
    const bridge = await servingBridge(Command.Bind, expected, () => {}, { egress });
    const { first, agent, clock } = bridge;
    expect(first.now).toMatchObject({ message: "Cannot bind: EADDRNOTAVAIL" });
    expect(told(agent.carriers.sent.right)).toEqual({
      types: [FrameType.Failed],
      reason: "network-unreachable",
    });
    agent.carriers.cut();
    await clock.run();
    expect(clock.timerCount).toBe(0);
  });

  it("asks the policy about the peer before it listens", async () => {
    const { first, egress } = await servingBridge(Command.Bind, expected, () => {
      throw new StreamError("denied", "Cannot connect: not that one");
    });
    expect(first.now).toMatchObject({ reason: "denied" });
    expect(egress.listenings).toHaveLength(0);
  });

  it.each(["0.0.0.0", "::"])(
    "asks the policy nothing about %s, which is nobody yet",
    async (host) => {
      const { egress } = await servingBridge(Command.Bind, parseAddress(host, 0), () => {
        throw new StreamError("denied", "Cannot connect: not that one");
      });
      expect(egress.listenings.map(({ peer: { host: named } }) => named)).toEqual([host]);
    },
  );

  it("knows where the session's latest connection went out from", async () => {
    const ours = parseAddress("192.0.2.9", 4000);
    const { agent, clock, egress, session } = await servingBridge(Command.Connect, expected);
    egress.dials[0]?.succeed(ours);
    await clock.run();
    session.open(Command.Bind, parseAddress("0.0.0.0", 0), hex(""));
    await clock.run();
    expect(egress.listenings.map(({ latest }) => latest)).toEqual([ours]);
    agent.carriers.cut();
    await clock.run();
  });

  it("refuses where the platform cannot listen", async () => {
    const { clock, session } = await greetedBridge();
    const answer = fateOf(session.open(Command.Bind, expected, hex("")).stream.answer());
    await clock.run();
    expect(answer.now).toMatchObject({ reason: "command-unsupported" });
  });
});
