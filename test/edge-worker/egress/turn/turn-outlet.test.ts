import { describe, expect, it } from "vitest";
import {
  attributeOf,
  decodeStun,
  StunAttribute,
  StunMethod,
} from "../../../../edge-worker/egress/turn/stun-message.ts";
import {
  decodeXorAddress,
  encodeXorAddress,
} from "../../../../edge-worker/egress/turn/stun-values.ts";
import { encodeChannelData } from "../../../../edge-worker/egress/turn/turn-framing.ts";
import { TurnOutlet } from "../../../../edge-worker/egress/turn/turn-outlet.ts";
import { formatAddress, parseAddress } from "../../../../protocol/address.ts";
import { FakeTurn, type FakeTurnConnection } from "../../../support/fake-turn.ts";
import { hex, toHex } from "../../../support/hex.ts";
import { fateOf } from "../../../support/stream-bytes.ts";

const one = parseAddress("192.0.2.1", 5000);
const other = parseAddress("192.0.2.2", 5000);

function open(turn = new FakeTurn()) {
  const taken: string[] = [];
  let endedCount = 0;
  const outlet = new TurnOutlet(turn.server, 4, {
    take: (from, bytes) => void taken.push(`${formatAddress(from)} ${toHex(bytes)}`),
    ended: () => endedCount++,
  });
  const peer = (): FakeTurnConnection => turn.connections[0] as FakeTurnConnection;
  /** What went to peers: "Send address hex" or "channel hex". */
  const sent = (): string[] =>
    peer().others.map((frame) => {
      if (frame.kind === "channel") return `${frame.channel.toString(16)} ${toHex(frame.bytes)}`;
      const message = decodeStun(frame.bytes);
      const address = attributeOf(message, StunAttribute.XorPeerAddress) ?? hex("");
      const to = formatAddress(decodeXorAddress(address, message.transactionId));
      return `Send ${to} ${toHex(attributeOf(message, StunAttribute.Data) ?? hex(""))}`;
    });
  return { turn, outlet, taken, peer, sent, endedCount: () => endedCount };
}

describe("TurnOutlet.send()", () => {
  it("lets the first datagrams wait, sends them, and goes on by a channel", async () => {
    const { turn, outlet, sent } = open();
    const lent = hex("01");
    expect(outlet.send(one, lent)).toBe(true);
    lent.fill(0xee);
    expect(outlet.send(one, hex("02"))).toBe(true);
    await turn.run();
    const setUp = ["Allocate 401", "Allocate", "CreatePermission", "ChannelBind"];
    expect(turn.requests).toEqual(setUp);
    expect(outlet.send(one, hex("03"))).toBe(true);
    await turn.run();
    expect(sent()).toEqual(["Send 192.0.2.1:5000 01", "Send 192.0.2.1:5000 02", "4000 03"]);
    expect(turn.requests).toEqual(setUp);
  });

  it("gives each peer a channel of its own", async () => {
    const { turn, outlet, sent } = open();
    for (const to of [one, other, { ...one, port: 5001 }]) outlet.send(to, hex("00"));
    await turn.run();
    for (const to of [one, other, { ...one, port: 5001 }]) outlet.send(to, hex("01"));
    await turn.run();
    expect(sent().slice(3)).toEqual(["4000 01", "4001 01", "4002 01"]);
  });

  it("goes on by Send indications when it gets no channel", async () => {
    const { turn, outlet, sent } = open();
    turn.refusals.push({ method: StunMethod.ChannelBind, code: 508 });
    for (const byte of ["01", "02"]) {
      outlet.send(one, hex(byte));
      await turn.run();
    }
    expect(sent()).toEqual(["Send 192.0.2.1:5000 01", "Send 192.0.2.1:5000 02"]);
  });

  it("drops what goes to a peer that the server refuses, and asks again after five seconds", async () => {
    const { turn, outlet, sent } = open();
    turn.refusals.push({ method: StunMethod.CreatePermission, code: 403 });
    outlet.send(one, hex("01"));
    await turn.run();
    expect(outlet.send(one, hex("02"))).toBe(false);
    await turn.advance(5000);
    expect(outlet.send(one, hex("03"))).toBe(true);
    await turn.run();
    expect(sent()).toEqual(["Send 192.0.2.1:5000 03"]);
  });

  it("keeps 64 KiB for peers that are not let in yet", async () => {
    const { turn, outlet } = open();
    turn.silent.add(StunMethod.CreatePermission);
    let kept = 0;
    while (outlet.send(one, new Uint8Array(1000))) kept++;
    expect(kept).toBe(Math.floor(65_536 / 1064));
    expect(outlet.send(other, new Uint8Array(1000))).toBe(false);
    outlet.forget(one);
    expect(outlet.send(other, new Uint8Array(1000))).toBe(true);
    await turn.run();
    outlet.close();
  });
});

describe("TurnOutlet and what comes in", () => {
  it("takes Data indications, and what comes by a channel that it has bound", async () => {
    const { turn, outlet, peer, taken } = open();
    outlet.send(one, hex("01"));
    await turn.run();
    peer().indicate(StunMethod.Data, (id) => [
      { type: StunAttribute.XorPeerAddress, value: encodeXorAddress(other, id) },
      { type: StunAttribute.Data, value: hex("0a") },
    ]);
    peer().indicate(StunMethod.Data, () => [{ type: StunAttribute.Data, value: hex("0b") }]);
    peer().indicate(StunMethod.Send, (id) => [
      { type: StunAttribute.XorPeerAddress, value: encodeXorAddress(other, id) },
      { type: StunAttribute.Data, value: hex("0c") },
    ]);
    peer().channel.arrive(
      encodeChannelData(0x4000, hex("0d")),
      encodeChannelData(0x4001, hex("0e")),
    );
    await turn.run();
    expect(taken).toEqual(["192.0.2.2:5000 0a", "192.0.2.1:5000 0d"]);
  });
});

describe("TurnOutlet and time", () => {
  it("renews channels every four minutes, and permissions where there is no channel", async () => {
    const { turn, outlet } = open();
    outlet.send(one, hex("01"));
    await turn.run();
    turn.refusals.push({ method: StunMethod.ChannelBind, code: 508 });
    outlet.send(other, hex("01"));
    await turn.run();
    turn.connections[0]?.requests.splice(0);
    await turn.advance(239_000, 60_000);
    expect(turn.requests).toEqual([]);
    await turn.advance(2000);
    const renewed = ["ChannelBind", "ChannelBind", "CreatePermission"];
    expect(turn.requests.toSorted()).toEqual(renewed);
    await turn.advance(240_000, 60_000);
    expect(turn.requests.slice(3).toSorted()).toEqual(["ChannelBind", "ChannelBind"]);
    outlet.close();
  });

  it("renews nothing for a peer that was forgotten, and keeps its number for it", async () => {
    const { turn, outlet, sent } = open();
    outlet.send(one, hex("01"));
    await turn.run();
    outlet.forget(one);
    outlet.send(other, hex("02"));
    outlet.send(one, hex("03"));
    await turn.run();
    outlet.send(one, hex("04"));
    await turn.run();
    expect(sent().at(-1)).toBe("4000 04");
    outlet.forget(one);
    outlet.forget(other);
    turn.connections[0]?.requests.splice(0);
    await turn.advance(241_000, 60_000);
    expect(turn.requests).toEqual([]);
    outlet.close();
  });

  it("asks from the beginning when a channel cannot be renewed", async () => {
    const { turn, outlet, sent } = open();
    outlet.send(one, hex("01"));
    await turn.run();
    turn.refusals.push({ method: StunMethod.ChannelBind, code: 400 });
    await turn.advance(241_000, 60_000);
    outlet.send(one, hex("02"));
    await turn.run();
    expect(sent()).toEqual(["Send 192.0.2.1:5000 01", "Send 192.0.2.1:5000 02"]);
    outlet.close();
  });
});

describe("TurnOutlet and its end", () => {
  it("gives the relay back", async () => {
    const { turn, outlet, endedCount } = open();
    outlet.send(one, hex("01"));
    await turn.run();
    outlet.close();
    await turn.run();
    expect(turn.requests.at(-1)).toBe("Refresh");
    expect(outlet.send(one, hex("02"))).toBe(false);
    expect(endedCount()).toBe(0);
    expect(turn.clock.timerCount).toBe(0);
  });

  it("gives back what is allocated after its end", async () => {
    const { turn, outlet } = open();
    outlet.close();
    await turn.run();
    expect(turn.requests.filter((request) => request === "Allocate").length).toBeLessThan(2);
    await turn.advance(10_000);
    for (const { channel } of turn.connections) expect(channel.abortReason).toBeDefined();
    expect(turn.clock.timerCount).toBe(0);
  });

  it("ends five seconds after the server was lost, and drops until then", async () => {
    const { turn, outlet, peer, endedCount } = open();
    outlet.send(one, hex("01"));
    await turn.run();
    peer().channel.farEnd();
    await turn.run();
    expect(outlet.send(one, hex("02"))).toBe(false);
    await turn.advance(4999);
    expect(endedCount()).toBe(0);
    await turn.advance(1);
    expect(endedCount()).toBe(1);
    expect(turn.log.lines).toEqual([
      expect.stringMatching(/^warn A relay at the TURN server ended/),
    ]);
    expect(turn.clock.timerCount).toBe(0);
  });

  it("is not ready when there is no server, and ends", async () => {
    const turn = new FakeTurn();
    turn.failure = new Error("no way");
    const { outlet, endedCount } = open(turn);
    const fate = fateOf(outlet.ready());
    await turn.run();
    expect(fate.now).toBe(turn.failure);
    await turn.advance(5000);
    expect(endedCount()).toBe(1);
    expect(turn.clock.timerCount).toBe(0);
  });
});
