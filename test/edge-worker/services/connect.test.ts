import { describe, expect, it } from "vitest";
import { parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { Command } from "../../../protocol/wire.ts";
import { diallingBridge, target } from "../../support/bridge-parts.ts";
import { hex, toHex } from "../../support/hex.ts";

const nothing = new Uint8Array();

describe("serveConnect()", () => {
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

  it("tells the agent why a dial failed", async () => {
    const { clock, dial, seen } = await diallingBridge();
    dial.fail(new StreamError("connection-refused", "Cannot connect: ECONNREFUSED"));
    await clock.run();
    expect(seen.answer).toMatchObject({
      reason: "connection-refused",
      message: "Cannot connect: ECONNREFUSED",
    });
  });

  it("dials for its session, whose dials have one line", async () => {
    const { clock, connect, egress, session } = await diallingBridge();
    session.open(Command.Connect, target, nothing);
    (await connect()).session?.open(Command.Connect, target, nothing);
    await clock.run();
    const [first, second, other] = egress.dials.map(({ caller }) => caller);
    expect(egress.dials).toHaveLength(3);
    expect(second).toBe(first);
    expect(other).not.toBe(first);
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
