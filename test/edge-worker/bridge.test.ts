import { describe, expect, it } from "vitest";
import { Bridge, type BridgeOptions } from "../../edge-worker/bridge.ts";
import { parseAddress } from "../../protocol/address.ts";
import { type FailureReason, StreamError } from "../../protocol/errors.ts";
import { replyTo } from "../../protocol/failure.ts";
import type { Hello } from "../../protocol/hello.ts";
import type { Session } from "../../protocol/session.ts";
import { Command, FrameType, GoAwayReason } from "../../protocol/wire.ts";
import { type AgentEnd, connectAgent, connectSilently, framesOf } from "../support/agent-end.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { type FakeDial, FakeEgress } from "../support/fake-egress.ts";
import { hex, toHex } from "../support/hex.ts";
import { recordedLog } from "../support/log.ts";
import { helloWith } from "../support/session-pair.ts";

const target = parseAddress("example.com", 443);
const nothing = new Uint8Array();

function createBridge(options: Partial<BridgeOptions> = {}) {
  const clock = new FakeClock();
  const egress = new FakeEgress();
  const log = recordedLog();
  const bridge = new Bridge({
    clock,
    log,
    egress,
    policy: () => {},
    connectTimeoutMs: 15_000,
    hello: helloWith({ maxCarriers: 2, runtime: "fake" }),
    ...options,
  });
  return { bridge, clock, egress, log };
}

/** A bridge with one agent, greeted. */
async function greetedBridge(options: Partial<BridgeOptions> = {}) {
  const parts = createBridge(options);
  const connect = async (hello: Partial<Hello> = {}, joined?: Session): Promise<AgentEnd> => {
    const end = connectAgent(parts.clock, parts.bridge, hello, joined);
    await parts.clock.run();
    return end;
  };
  const agent = await connect();
  const { session } = agent;
  if (!session) throw new Error("The bridge has not greeted its agent");
  return { ...parts, connect, agent, session };
}

/** A bridge that dials for its agent's only stream. */
async function diallingBridge(early = nothing, options: Partial<BridgeOptions> = {}) {
  const parts = await greetedBridge(options);
  const { stream } = parts.session.open(Command.Connect, target, early);
  const seen: { answer?: unknown } = {};
  void stream.answer().then(
    (bound) => (seen.answer = bound),
    (error: unknown) => (seen.answer = error),
  );
  await parts.clock.run();
  const dial = parts.egress.dials[0] as FakeDial;
  return { ...parts, stream, dial, seen };
}

describe("Bridge.accept()", () => {
  it("gives each agent a session and a token of its own", async () => {
    const { bridge, agent, connect, log } = await greetedBridge();
    const other = await connect();
    expect(agent.hello).toMatchObject({ runtime: "fake" });
    expect(agent.hello?.session).toHaveLength(16);
    expect(other.hello?.session).not.toEqual(agent.hello?.session);
    expect(bridge.sessionCount).toBe(2);
    expect(log.lines.at(-1)).toBe('info A session began {"sessions":2}');
  });

  it("forgets a session that lost its carrier, and says why", async () => {
    const { bridge, agent, clock, log } = await greetedBridge();
    agent.carriers.cut();
    await clock.run();
    expect(bridge.sessionCount).toBe(0);
    expect(log.lines.at(-1)).toMatch(/^info A session ended .*1006/);
    expect(clock.timerCount).toBe(0);
  });

  it("ends the session of an agent that breaks the protocol, with a warning", async () => {
    const { bridge, agent, clock, log } = await greetedBridge();
    const sent = agent.carriers.sent.right.length;
    agent.carriers.left({ message: () => {}, closed: () => {} }).send(hex("ff ff"), () => {});
    await clock.run();
    const frames = framesOf(agent.carriers.sent.right.slice(sent));
    expect(frames).toMatchObject([{ type: FrameType.GoAway, reason: GoAwayReason.ProtocolError }]);
    expect(bridge.sessionCount).toBe(0);
    expect(log.lines.at(-1)).toMatch(/^warn A session ended /);
  });

  it("ends a carrier that does not say HELLO", async () => {
    const { bridge, clock, log } = createBridge();
    const silent = connectSilently(clock, bridge);
    await clock.advance(60_000);
    expect(silent.closed).toHaveLength(1);
    expect(log.lines).toEqual([expect.stringMatching(/^warn A carrier ended before its session/)]);
    expect(clock.timerCount).toBe(0);
  });

  it("joins a carrier to the session whose token it has", async () => {
    const { bridge, clock, agent, connect, session, egress } = await greetedBridge();
    const second = await connect({ session: agent.hello?.session ?? nothing }, session);
    expect(second.hello?.session).toEqual(agent.hello?.session);
    expect(bridge.sessionCount).toBe(1);
    agent.carriers.cut();
    await clock.run();
    expect(bridge.sessionCount).toBe(1);
    session.open(Command.Connect, target, nothing);
    await clock.run();
    expect(egress.dials).toHaveLength(1);
  });

  it("refuses a token that it does not know", async () => {
    const { bridge, connect } = await greetedBridge();
    const stranger = await connect({ session: hex("00112233445566778899aabbccddeeff") });
    expect(stranger.session).toBeUndefined();
    expect(framesOf(stranger.carriers.sent.right)).toMatchObject([
      { type: FrameType.GoAway, reason: GoAwayReason.NoSuchSession },
    ]);
    expect(stranger.failure).toMatchObject({ code: "ERR_PEER_GOAWAY" });
    expect(bridge.sessionCount).toBe(1);
  });

  it("refuses a carrier beyond maxCarriers", async () => {
    const { agent, connect, session } = await greetedBridge();
    const joining = { session: agent.hello?.session ?? nothing };
    await connect(joining, session);
    const third = await connect(joining, session);
    expect(framesOf(third.carriers.sent.right)).toMatchObject([
      { type: FrameType.GoAway, reason: GoAwayReason.Overloaded },
    ]);
    expect(session.linkCount).toBe(2);
  });
});

describe("Bridge on OPEN", () => {
  it("answers with the bound address, then relays both ways", async () => {
    const { clock, dial, stream, seen } = await diallingBridge();
    expect(dial.target).toEqual(target);
    dial.succeed(parseAddress("192.0.2.7", 4000));
    await clock.run();
    expect(seen.answer).toEqual(parseAddress("192.0.2.7", 4000));
    void stream.write(hex("0102")).then(() => stream.end());
    dial.channel.arrive(hex("0304"));
    await clock.run();
    expect(toHex(dial.channel.written)).toBe("0102");
    expect(dial.channel.hasEnded).toBe(true);
    expect(await stream.read()).toEqual(hex("0304"));
    dial.channel.farEnd();
    await clock.run();
    expect(await stream.read()).toBeNull();
  });

  it("hands early data to the target, and not before it is reached", async () => {
    const { clock, dial } = await diallingBridge(hex("474554"));
    expect(dial.channel.written).toHaveLength(0);
    dial.succeed();
    await clock.run();
    expect(toHex(dial.channel.written)).toBe("474554");
  });

  it.each(Object.keys(replyTo) as FailureReason[])("tells the agent of %s", async (reason) => {
    const { clock, dial, seen, session } = await diallingBridge();
    dial.fail(new StreamError(reason, "Cannot connect: as it is"));
    await clock.run();
    expect(seen.answer).toMatchObject({ reason, message: "Cannot connect: as it is" });
    expect(session.streamCount).toBe(0);
  });

  it("tells the agent of any other error as general", async () => {
    const { clock, dial, seen } = await diallingBridge();
    dial.fail(new TypeError("out of luck"));
    await clock.run();
    expect(seen.answer).toMatchObject({ reason: "general" });
  });

  it("asks the policy before it dials", async () => {
    const policy = (): never => {
      throw new StreamError("denied", "Cannot connect: not that one");
    };
    const { egress, seen } = await diallingBridge(nothing, { policy });
    expect(seen.answer).toMatchObject({
      reason: "denied",
      message: "Cannot connect: not that one",
    });
    expect(egress.dials).toHaveLength(0);
  });

  it.each([Command.Bind, Command.UdpAssociate, Command.Resolve, 0x00, 0x7f])(
    "refuses command %i as unsupported",
    async (command) => {
      const { clock, session, egress } = await greetedBridge();
      const { stream } = session.open(command, target, nothing);
      const answer = expect(stream.answer()).rejects.toMatchObject({
        reason: "command-unsupported",
      });
      await clock.run();
      await answer;
      expect(egress.dials).toHaveLength(0);
    },
  );

  it("gives a target up after connectTimeoutMs", async () => {
    const { clock, dial, seen } = await diallingBridge();
    await clock.advance(14_999);
    expect(dial.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(seen.answer).toMatchObject({ reason: "timed-out" });
    expect(dial.signal.aborted).toBe(true);
    dial.succeed();
    await clock.run();
    expect(dial.channel.abortReason).toBeDefined();
  });

  it("stops dialling when the agent takes the stream back", async () => {
    const { clock, dial, stream, bridge } = await diallingBridge();
    stream.abort(new StreamError("cancelled", "The client left"));
    await clock.run();
    expect(dial.signal.reason).toMatchObject({ reason: "cancelled" });
    dial.succeed();
    await clock.run();
    expect(dial.channel.abortReason).toMatchObject({ reason: "cancelled" });
    expect(bridge.sessionCount).toBe(1);
  });

  it("stops dialling when the carrier is lost, and leaves no timer", async () => {
    const { clock, dial, agent } = await diallingBridge();
    agent.carriers.cut();
    await clock.run();
    expect(dial.signal.aborted).toBe(true);
    expect(clock.timerCount).toBe(0);
  });

  it("resets the stream when the target breaks off", async () => {
    const { clock, dial, stream } = await diallingBridge();
    dial.succeed();
    await clock.run();
    const reading = expect(stream.read()).rejects.toMatchObject({ reason: "connection-reset" });
    dial.channel.breakOff();
    await clock.run();
    await reading;
  });

  it("cuts the target when the agent resets the stream", async () => {
    const { clock, dial, stream } = await diallingBridge();
    dial.succeed();
    await clock.run();
    stream.abort(new StreamError("connection-reset", "The client broke off"));
    await clock.run();
    expect(dial.channel.abortReason).toBeDefined();
  });
});

describe("Bridge.drain()", () => {
  it("asks every agent to leave, and lets its streams go on", async () => {
    const { bridge, clock, agent, dial, stream } = await diallingBridge();
    dial.succeed();
    bridge.drain(3000);
    await clock.run();
    expect(agent.drainMs).toBe(3000);
    void stream.write(hex("0102"));
    await clock.run();
    expect(toHex(dial.channel.written)).toBe("0102");
    stream.abort(new StreamError("cancelled", "The client left"));
    await clock.run();
    expect(bridge.sessionCount).toBe(0);
  });
});

describe("Bridge.close()", () => {
  it("ends every session, stream and connection, and leaves no timer", async () => {
    const { bridge, clock, connect, dial, agent } = await diallingBridge();
    const other = await connect();
    dial.succeed();
    await clock.run();
    bridge.close();
    await clock.run();
    expect(bridge.sessionCount).toBe(0);
    expect(dial.channel.abortReason).toBeDefined();
    expect([agent.failure, other.failure]).toMatchObject([
      { code: "ERR_CARRIER_LOST" },
      { code: "ERR_CARRIER_LOST" },
    ]);
    expect(clock.timerCount).toBe(0);
  });

  it("ends the carriers, too, that have no session yet", async () => {
    const { bridge, clock } = createBridge();
    const silent = connectSilently(clock, bridge);
    bridge.close();
    await clock.run();
    expect(silent.closed).toHaveLength(1);
    expect(clock.timerCount).toBe(0);
  });
});
