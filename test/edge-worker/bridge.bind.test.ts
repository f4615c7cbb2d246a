import { describe, expect, it } from "vitest";
import { parseAddress } from "../../protocol/address.ts";
import { Command, FrameType } from "../../protocol/wire.ts";
import { framesOf } from "../support/agent-end.ts";
import type { CarrierPair } from "../support/carrier-pair.ts";
import { hex, toHex } from "../support/hex.ts";
import { type FakeListening, servingBridge } from "../support/service-parts.ts";
import { helloWith } from "../support/session-pair.ts";
import { fateOf, readAll } from "../support/stream-bytes.ts";

const nothing = new Uint8Array();
const expected = parseAddress("198.51.100.1", 0);
const peer = parseAddress("198.51.100.1", 2000);
const bound = parseAddress("192.0.2.7", 4000);

/** A session that can be resumed, with a BIND that has got its first answer. */
async function listeningBridge() {
  const hello = helloWith({ maxCarriers: 2, resumeWindow: 60 });
  const parts = await servingBridge(Command.Bind, expected, undefined, { hello });
  const { agent, connect, egress, first, session, stream } = parts;
  expect(first.now).toEqual(bound);
  const listening = egress.listenings[0] as FakeListening;
  const resume = () => connect({ session: agent.hello?.session ?? nothing }, session);
  return { ...parts, listening, resume, second: fateOf(stream.answer()) };
}

/** Whom the edge named on a carrier in answers to BIND. */
function answersOn({ sent }: CarrierPair): unknown[] {
  return framesOf(sent.right).flatMap((frame) =>
    frame.type === FrameType.Opened ? [frame.bound] : [],
  );
}

describe("Bridge, a BIND whose carrier is lost [M-82]", () => {
  it("listens on, tells of the peer by the next carrier, and relays both ways", async () => {
    const { clock, agent, stream, listening, resume, second, egress } = await listeningBridge();
    void stream.write(hex("01"));
    await clock.run();
    agent.carriers.cut();
    await clock.advance(50_000);
    void stream.write(hex("02"));
    const { carriers } = await resume();
    expect([listening.signal.aborted, egress.listenings.length]).toEqual([false, 1]);
    expect(second.now).toBe("pending");
    // Beyond what was left of the resume window.
    await clock.advance(30_000);
    listening.accept(peer);
    await clock.run();
    expect(second.now).toEqual(peer);
    expect(answersOn(carriers)).toEqual([peer]);
    const received = readAll(stream);
    void stream.write(hex("03")).then(() => stream.end());
    listening.channel.arrive(hex("0405"));
    listening.channel.farEnd();
    await clock.run();
    expect(toHex(listening.channel.written)).toBe("010203");
    expect(listening.channel.hasEnded).toBe(true);
    expect(received).toEqual({ bytes: [4, 5], end: null });
  });

  it("takes a peer that comes meanwhile, and tells of it and its bytes once", async () => {
    const { clock, agent, stream, listening, resume, second } = await listeningBridge();
    agent.carriers.cut();
    await clock.run();
    listening.accept(peer);
    listening.channel.arrive(hex("04"));
    await clock.run();
    expect(second.now).toBe("pending");
    const { carriers } = await resume();
    const received = readAll(stream);
    void stream.write(hex("03"));
    await clock.run();
    expect([second.now, answersOn(carriers)]).toEqual([peer, [peer]]);
    expect(toHex(listening.channel.written)).toBe("03");
    expect(received.bytes).toEqual([4]);
  });

  it("tells of the peer again when that has not arrived", async () => {
    const { clock, agent, stream, listening, resume, second } = await listeningBridge();
    agent.carriers.blackHole();
    listening.accept(peer);
    await clock.run();
    expect([second.now, answersOn(agent.carriers)]).toEqual(["pending", [bound, peer]]);
    agent.carriers.cut();
    const { carriers } = await resume();
    expect([second.now, answersOn(carriers)]).toEqual([peer, [peer]]);
    const received = readAll(stream);
    listening.channel.arrive(hex("04"));
    await clock.run();
    expect(received.bytes).toEqual([4]);
  });

  it("listens no longer than two minutes, with a carrier or without", async () => {
    const { clock, agent, listening, resume, second } = await listeningBridge();
    await clock.advance(30_000);
    agent.carriers.cut();
    await clock.advance(50_000);
    await resume();
    await clock.advance(39_999);
    expect([listening.signal.aborted, second.now]).toEqual([false, "pending"]);
    await clock.advance(1);
    expect(listening.signal.reason).toMatchObject({ reason: "timed-out" });
    expect(second.now).toMatchObject({ reason: "timed-out" });
  });

  it("listens no longer than the resume window without one", async () => {
    const { clock, agent, bridge, listening } = await listeningBridge();
    agent.carriers.cut();
    await clock.advance(59_999);
    expect(listening.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(listening.signal.aborted).toBe(true);
    expect([bridge.sessionCount, clock.timerCount]).toEqual([0, 0]);
  });
});
