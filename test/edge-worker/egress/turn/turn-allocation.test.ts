import { describe, expect, it } from "vitest";
import {
  attributeOf,
  StunAttribute,
  StunMethod,
  type StunMessage,
} from "../../../../edge-worker/egress/turn/stun-message.ts";
import {
  decodeXorAddress,
  StunTransport,
} from "../../../../edge-worker/egress/turn/stun-values.ts";
import {
  openAllocation,
  type Transport,
} from "../../../../edge-worker/egress/turn/turn-allocation.ts";
import type { Family } from "../../../../edge-worker/egress/outlet.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { FakeTurn, RELAYED } from "../../../support/fake-turn.ts";
import { hex, toHex } from "../../../support/hex.ts";
import { fateOf } from "../../../support/stream-bytes.ts";

const never = new AbortController().signal;

async function open(
  turn = new FakeTurn(),
  transport: Transport = StunTransport.Udp,
  family: Family = 4,
) {
  const lost: Error[] = [];
  const events = {
    indication: () => {},
    channelData: () => {},
    lost: (reason: Error) => void lost.push(reason),
  };
  const opening = openAllocation(turn.server, transport, family, events, never);
  const fate = fateOf(opening);
  await turn.run();
  if (fate.now instanceof Error) throw fate.now;
  const allocation = await opening;
  const last = (): StunMessage => turn.connections[0]?.messages.at(-1) as StunMessage;
  const valueOf = (type: number): string => toHex(attributeOf(last(), type) ?? hex(""));
  return { turn, allocation, lost, last, valueOf };
}

describe("openAllocation()", () => {
  it.each<[Transport, Family, string, string]>([
    [StunTransport.Udp, 4, "11000000", ""],
    [StunTransport.Udp, 6, "11000000", "02000000"],
    [StunTransport.Tcp, 4, "06000000", ""],
  ])("asks for protocol %i and family %i", async (transport, family, asked, askedFamily) => {
    const { allocation, valueOf } = await open(new FakeTurn(), transport, family);
    expect(valueOf(StunAttribute.RequestedTransport)).toBe(asked);
    expect(valueOf(StunAttribute.RequestedAddressFamily)).toBe(askedFamily);
    expect(allocation.relayed).toEqual(RELAYED);
  });

  it.each([
    [442, "command-unsupported"],
    [440, "address-unsupported"],
    [486, "quota-exceeded"],
  ])("tells of error %i, and closes the connection", async (code, reason) => {
    const turn = new FakeTurn();
    turn.refusals.push({ method: StunMethod.Allocate, code });
    await expect(open(turn)).rejects.toMatchObject({ reason });
    expect(turn.connections[0]?.channel.abortReason).toBeDefined();
    expect(turn.clock.timerCount).toBe(0);
  });
});

describe("TurnAllocation", () => {
  it("permits a peer", async () => {
    const { turn, allocation, last } = await open();
    const fate = fateOf(allocation.permit(parseAddress("192.0.2.1", 53)));
    await turn.run();
    expect(fate.now).toBeUndefined();
    const value = attributeOf(last(), StunAttribute.XorPeerAddress) ?? hex("");
    expect(decodeXorAddress(value, last().transactionId)).toEqual(parseAddress("192.0.2.1", 53));
  });

  it.each([
    [600, 540],
    [90, 45],
    [7200, 3540],
  ])("is refreshed in time when its lifetime is %i s", async (lifetimeSeconds, afterSeconds) => {
    const turn = new FakeTurn();
    turn.lifetimeSeconds = lifetimeSeconds;
    await open(turn);
    const count = (): number => turn.requests.filter((request) => request === "Refresh").length;
    await turn.advance(afterSeconds * 1000 - 1, 60_000);
    expect(count()).toBe(0);
    await turn.advance(1);
    expect(count()).toBe(1);
    await turn.advance(afterSeconds * 1000, 60_000);
    expect(count()).toBe(2);
  });

  it("goes on with a new nonce when a refresh finds the old one stale", async () => {
    const { turn, lost } = await open();
    turn.nonce = "nonce-2";
    await turn.advance(540_000, 60_000);
    expect(turn.requests.slice(-2)).toEqual(["Refresh 438", "Refresh"]);
    expect(lost).toEqual([]);
  });

  it("is lost when the server refuses to refresh it", async () => {
    const { turn, lost } = await open();
    turn.refusals.push({ method: StunMethod.Refresh, code: 437 });
    await turn.advance(540_000, 60_000);
    expect(lost).toHaveLength(1);
    expect(turn.clock.timerCount).toBe(0);
  });

  it("is given back by close(), and its connection ended", async () => {
    const { turn, allocation, valueOf, lost } = await open();
    allocation.close();
    allocation.close();
    await turn.run();
    expect(turn.requests).toEqual(["Allocate 401", "Allocate", "Refresh"]);
    expect(valueOf(StunAttribute.Lifetime)).toBe("00000000");
    expect(turn.connections[0]?.channel.abortReason).toMatchObject({ reason: "cancelled" });
    expect(lost).toEqual([]);
    expect(turn.clock.timerCount).toBe(0);
  });

  it("is closed though the server says nothing", async () => {
    const { turn, allocation } = await open();
    turn.silent.add(StunMethod.Refresh);
    allocation.close();
    await turn.advance(10_000);
    expect(turn.connections[0]?.channel.abortReason).toBeDefined();
    expect(turn.clock.timerCount).toBe(0);
  });
});
