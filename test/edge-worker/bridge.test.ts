import { describe, expect, it } from "vitest";
import { StreamError } from "../../protocol/errors.ts";
import { Command, FrameType, GoAwayReason } from "../../protocol/wire.ts";
import type { Tenant } from "../../edge-worker/users/users.ts";
import { accountOf } from "../support/account.ts";
import { type AgentEnd, connectSilently, framesOf } from "../support/agent-end.ts";
import {
  connectable,
  createBridge,
  diallingBridge,
  greetedBridge,
  target,
} from "../support/bridge-parts.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { hex, toHex } from "../support/hex.ts";
import { helloWith } from "../support/session-pair.ts";

const nothing = new Uint8Array();
const hello = helloWith({ maxCarriers: 2, runtime: "fake", resumeWindow: 60 });
const resumableBridge = () => greetedBridge({ hello });
const createResumable = () => connectable({ hello });

/** The same with one stream, whose target is reached. */
async function streamingBridge() {
  const parts = await diallingBridge(nothing, { hello });
  parts.dial.succeed();
  await parts.clock.run();
  return parts;
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

  it("joins a carrier to the session whose token it has, and gives it the next", async () => {
    const { bridge, clock, agent, connect, session, egress } = await resumableBridge();
    const second = await connect({ session: agent.hello?.session ?? nothing }, session);
    expect(second.hello?.session).toHaveLength(16);
    expect(second.hello?.session).not.toEqual(agent.hello?.session);
    expect(bridge.sessionCount).toBe(1);
    agent.carriers.cut();
    await clock.run();
    expect(bridge.sessionCount).toBe(1);
    session.open(Command.Connect, target, nothing);
    await clock.run();
    expect(egress.dials).toHaveLength(1);
  });

  it("keeps a session for the resume window, and its connections with it", async () => {
    const { bridge, clock, agent, connect, session, stream, dial, log } = await streamingBridge();
    agent.carriers.cut();
    await clock.advance(59_000);
    expect(log.lines.at(-1)).toMatch(/^info A session waits for a carrier/);
    void stream.write(hex("0102"));
    await connect({ session: agent.hello?.session ?? nothing }, session);
    expect(toHex(dial.channel.written)).toBe("0102");
    session.close("over");
    await clock.run();
    expect([bridge.sessionCount, clock.timerCount]).toEqual([0, 0]);
  });

  it("ends what waits when the window has passed, and does not know its token then", async () => {
    const { bridge, clock, agent, connect } = await resumableBridge();
    agent.carriers.cut();
    await clock.advance(60_000);
    expect([bridge.sessionCount, clock.timerCount]).toEqual([0, 0]);
    const late = await connect({ session: agent.hello?.session ?? nothing, carrier: 2 });
    expect(late.failure).toMatchObject({ code: "ERR_NO_SESSION" });
  });

  it("refuses a token that it does not know", async () => {
    const { bridge, connect } = await resumableBridge();
    const stranger = await connect({ session: hex("00112233445566778899aabbccddeeff") });
    expect(stranger.session).toBeUndefined();
    expect(framesOf(stranger.carriers.sent.right)).toMatchObject([
      { type: FrameType.GoAway, reason: GoAwayReason.NoSuchSession },
    ]);
    expect(stranger.failure).toMatchObject({ code: "ERR_NO_SESSION" });
    expect(bridge.sessionCount).toBe(1);
  });

  it("refuses a token of another key, and one of a session that cannot be resumed", async () => {
    const { agent, connect } = await resumableBridge();
    const joining = { session: agent.hello?.session ?? nothing, carrier: 2 };
    const thief = await connect(joining, undefined, "another");
    expect(thief.failure).toMatchObject({ code: "ERR_NO_SESSION" });
    const plain = await greetedBridge();
    const second = await plain.connect({
      ...joining,
      session: plain.agent.hello?.session ?? nothing,
    });
    expect(second.failure).toMatchObject({ code: "ERR_NO_SESSION" });
  });

  it("refuses a carrier whose number is not above all before it [M-78]", async () => {
    const { agent, connect, session } = await resumableBridge();
    const copy = await connect({ session: agent.hello?.session ?? nothing, carrier: 1 });
    expect(copy.failure).toMatchObject({ code: "ERR_NO_SESSION" });
    expect(session.linkCount).toBe(1);
  });

  it("keeps no session of an agent that does not number its carriers [M-66]", async () => {
    const { bridge, clock, connect } = createResumable();
    const plain = await connect({ carrier: 0 });
    expect([plain.session?.isOpen, bridge.sessionCount]).toEqual([true, 1]);
    plain.carriers.cut();
    await clock.run();
    expect(bridge.sessionCount).toBe(0);
  });

  it("ends the carrier that was silent longest for one beyond maxCarriers [M-67]", async () => {
    const { bridge, clock, agent, connect, session } = await resumableBridge();
    await clock.advance(100);
    const second = await connect({ session: agent.hello?.session ?? nothing }, session);
    await clock.advance(100);
    await connect({ session: second.hello?.session ?? nothing }, session);
    expect([session.linkCount, bridge.sessionCount]).toEqual([2, 1]);
  });

  it("ends the carrier by whose token another joins, and not the session [M-87]", async () => {
    const { bridge, clock, agent, connect, session } = await resumableBridge();
    const token = agent.hello?.session ?? nothing;
    await connect({ session: token, carrier: 2 }, session);
    expect(session.linkCount).toBe(2);
    const rival = await connect({ session: token, carrier: 3 });
    await clock.run();
    expect([rival.failure, rival.session?.isOpen]).toEqual([undefined, true]);
    expect([session.linkCount, session.isOpen, bridge.sessionCount]).toEqual([1, true, 1]);
  });

  it("ends the oldest of the sessions that wait when they are too many", async () => {
    const { bridge, clock, connect } = createResumable();
    const agents: AgentEnd[] = [];
    for (let count = 0; count < 258; count++) agents.push(await connect());
    for (const { carriers } of agents) carriers.cut();
    await clock.run();
    expect(bridge.sessionCount).toBe(256);
    const late = async (index: number): Promise<unknown> => {
      const token = agents[index]?.hello?.session ?? nothing;
      return (await connect({ session: token, carrier: 2 }, agents[index]?.session)).failure;
    };
    expect(await late(0)).toMatchObject({ code: "ERR_NO_SESSION" });
    expect(await late(257)).toBeUndefined();
  });
});

describe("Bridge.drain()", () => {
  it("closes a carrier whose agent has not said HELLO, and cannot be asked", async () => {
    const { bridge, clock } = createBridge();
    const silent = connectSilently(clock, bridge);
    bridge.drain(3000);
    await clock.run();
    expect(silent.closed).toEqual([1000]);
  });

  it("takes who was away back for its streams, asks it to leave, and takes nobody else", async () => {
    const { bridge, clock, agent, connect, session, stream, dial } = await streamingBridge();
    agent.carriers.cut();
    await clock.run();
    bridge.drain(3000);
    await clock.advance(1000);
    expect(bridge.waitingCount).toBe(1);
    const stranger = await connect();
    const back = await connect({ session: agent.hello?.session ?? nothing, carrier: 2 }, session);
    await clock.run();
    const further = await connect({ session: back.hello?.session ?? nothing, carrier: 3 });
    const refused = { code: "ERR_PEER_GOAWAY" };
    expect([stranger.failure, further.failure]).toMatchObject([refused, refused]);
    expect([bridge.sessionCount, bridge.waitingCount]).toEqual([1, 0]);
    expect([session.linkCount, session.isOpen]).toEqual([1, false]);
    expect(framesOf(back.carriers.sent.right)).toContainEqual(
      expect.objectContaining({ type: FrameType.GoAway, drainMs: 2000 }),
    );
    void stream.write(hex("0102"));
    await clock.run();
    expect(toHex(dial.channel.written)).toBe("0102");
  });

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

describe("Bridge, whose users come and go", () => {
  const usersOf = (end: number) => {
    const state = { isGone: false };
    const clock = new FakeClock();
    const find = (user: string): Tenant | undefined => {
      if (state.isGone || clock.now() >= end) return undefined;
      return {
        account: accountOf({ user, clock }),
        expiresAt: end,
        policyFor: () => () => undefined,
      };
    };
    return { state, clock, users: { find } };
  };

  it("lets nobody join the session of another user", async () => {
    const { agent, connect, session, bridge } = await greetedBridge();
    const token = agent.hello?.session ?? nothing;
    const stranger = await connect({ session: token }, session, "mallory");
    expect(stranger.failure).toMatchObject({ code: "ERR_NO_SESSION" });
    expect(bridge.sessionCount).toBe(1);
  });

  it("ends the sessions of a user who is one no more", async () => {
    const { state, clock, users } = usersOf(Infinity);
    const { bridge, agent } = await greetedBridge({ clock, users });
    bridge.evict();
    expect(bridge.sessionCount).toBe(1);
    state.isGone = true;
    bridge.evict();
    await clock.run();
    expect(bridge.sessionCount).toBe(0);
    expect(agent.failure).toBeDefined();
    expect(clock.timerCount).toBe(0);
  });

  it("ends a session within a minute of the end of its key, and serves no stream until then", async () => {
    const { clock, users } = usersOf(90_000);
    const { bridge, session, egress } = await greetedBridge({ clock, users });
    await clock.advance(95_000);
    const { stream } = session.open(Command.Connect, target, nothing);
    const refused = expect(stream.answer()).rejects.toMatchObject({ reason: "denied" });
    await clock.run();
    await refused;
    expect(egress.dials).toHaveLength(0);
    await clock.advance(60_000);
    expect(bridge.sessionCount).toBe(0);
    expect(clock.timerCount).toBe(0);
  });
});
