import { describe, expect, it } from "vitest";
import { isOfEdge, type OpenSession, Ways } from "../../../client-agent/listeners/ways.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { CarrierError, type FailureReason, StreamError } from "../../../protocol/errors.ts";
import { Capability, Command, ReasonNumber } from "../../../protocol/wire.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const address = parseAddress("example.com", 443);
const connect = { command: Command.Connect, address };
const first: OpenSession = () => Promise.reject(new Error("first"));
const fallback: OpenSession = () => Promise.reject(new Error("fallback"));
const blocked = new StreamError("platform-blocked", "not here");
const anyUdp = Capability.UdpNative | Capability.UdpDns;

describe("Ways.of()", () => {
  it("is the first edge alone where there is no fallback, whatever was learnt", () => {
    const ways = new Ways(new FakeClock(), first);
    ways.learn(connect, blocked);
    expect(ways.of(connect)).toEqual([{ session: first, needs: 0 }]);
    expect(ways.of({ ...connect, command: Command.UdpAssociate })).toEqual([
      { session: first, needs: anyUdp },
    ]);
  });

  it("has the fallback second, and first for ten minutes for a target that is blocked", async () => {
    const clock = new FakeClock();
    const ways = new Ways(clock, first, fallback);
    const order = () => ways.of(connect).map(({ session }) => session);
    expect(order()).toEqual([first, fallback]);
    ways.learn(connect, new StreamError("timed-out", "no answer"));
    expect(order()).toEqual([first, fallback]);
    ways.learn(connect, blocked);
    expect(order()).toEqual([fallback, first]);
    await clock.advance(600_000);
    expect(order()).toEqual([first, fallback]);
  });

  it("prefers whoever relays any UDP, then whoever relays some", () => {
    const udp = { ...connect, command: Command.UdpAssociate };
    expect(new Ways(new FakeClock(), first, fallback).of(udp)).toEqual([
      { session: first, needs: Capability.UdpNative },
      { session: fallback, needs: anyUdp },
      { session: first, needs: anyUdp },
    ]);
  });
});

describe("isOfEdge()", () => {
  const failed = (reason: FailureReason) => new StreamError(reason, reason);

  it("is true for what is not the word of the target, and for nothing else", () => {
    const reasons = Object.keys(ReasonNumber) as FailureReason[];
    expect(reasons.filter((reason) => isOfEdge(failed(reason), true))).toEqual([
      "command-unsupported",
      "edge-unavailable",
      "platform-blocked",
    ]);
    expect(isOfEdge(new Error("any"), false)).toBe(false);
  });

  it("is false for a session that was lost with bytes of the client", () => {
    const cause = new CarrierError("ERR_CARRIER_LOST", "gone");
    const lost = new StreamError("edge-unavailable", "gone", { cause });
    expect(isOfEdge(lost, true)).toBe(false);
    expect(isOfEdge(lost, false)).toBe(true);
  });
});
