import { describe, expect, it } from "vitest";
import { createResolver } from "../../../../edge-worker/egress/dns/resolver.ts";
import { StunMethod } from "../../../../edge-worker/egress/turn/stun-message.ts";
import { openTurnAssociation } from "../../../../edge-worker/egress/turn/turn-association.ts";
import { encodeChannelData } from "../../../../edge-worker/egress/turn/turn-framing.ts";
import { formatAddress, parseAddress } from "../../../../protocol/address.ts";
import { FakeTurn } from "../../../support/fake-turn.ts";
import { hex, toHex } from "../../../support/hex.ts";
import { fateOf } from "../../../support/stream-bytes.ts";

const ipv4 = parseAddress("192.0.2.1", 5000);
const ipv6 = parseAddress("2001:db8::1", 5000);

async function associate(turn = new FakeTurn()) {
  const delivered: string[] = [];
  const look = async () => ({ data: ["192.0.2.1"], ttlMs: 0 });
  const opening = openTurnAssociation(turn.server, {
    clock: turn.clock,
    policy: () => undefined,
    resolver: createResolver({ addressesOf: look, namesOf: look }),
    idleTimeoutMs: 60_000,
    deliver: (from, bytes) => void delivered.push(`${formatAddress(from)} ${toHex(bytes)}`),
  });
  const fate = fateOf(opening);
  await turn.run();
  if (fate.now instanceof Error) throw fate.now;
  return { turn, association: await opening, delivered };
}

describe("openTurnAssociation()", () => {
  it("has its relay for IPv4 before it is there, and one for IPv6 when it needs it", async () => {
    const { turn, association } = await associate();
    expect(turn.requests).toEqual(["Allocate 401", "Allocate"]);
    association.send(ipv4, hex("01"));
    await turn.run();
    expect(turn.connections).toHaveLength(1);
    association.send(ipv6, hex("01"));
    await turn.run();
    expect(turn.connections).toHaveLength(2);
    association.close();
    await turn.run();
    expect(turn.requests.filter((request) => request === "Refresh")).toHaveLength(2);
    expect(turn.clock.timerCount).toBe(0);
  });

  it("delivers what comes back, by the relay that was there first", async () => {
    const { turn, association, delivered } = await associate();
    association.send(parseAddress("name.test", 5000), hex("01"));
    await turn.run();
    turn.connections[0]?.channel.arrive(encodeChannelData(0x4000, hex("02")));
    await turn.run();
    expect(delivered).toEqual(["192.0.2.1:5000 02"]);
    association.close();
  });

  it.each([
    [486, "quota-exceeded"],
    [500, "general"],
  ])("refuses when the server answers %i, and leaves nothing behind", async (code, reason) => {
    const turn = new FakeTurn();
    turn.refusals.push({ method: StunMethod.Allocate, code });
    await expect(associate(turn)).rejects.toMatchObject({ reason });
    expect(turn.connections).toHaveLength(1);
    expect(turn.connections[0]?.channel.abortReason).toBeDefined();
    expect(turn.clock.timerCount).toBe(0);
  });

  it("takes a server for IPv6 alone", async () => {
    const turn = new FakeTurn();
    turn.refusals.push({ method: StunMethod.Allocate, code: 440 });
    const { association } = await associate(turn);
    expect(turn.connections).toHaveLength(2);
    association.send(ipv6, hex("01"));
    await turn.run();
    expect(turn.connections).toHaveLength(2);
    association.close();
    await turn.run();
    expect(turn.clock.timerCount).toBe(0);
  });

  it("gives back a relay that nobody has used", async () => {
    const { turn, association } = await associate();
    association.close();
    await turn.run();
    expect(turn.requests.at(-1)).toBe("Refresh");
    expect(turn.clock.timerCount).toBe(0);
  });

  it("gives back a relay whose peers are silent, and asks for another when they are not", async () => {
    const { turn, association } = await associate();
    association.send(ipv4, hex("01"));
    await turn.advance(60_000);
    expect(turn.requests.at(-1)).toBe("Refresh");
    expect(turn.clock.timerCount).toBe(0);
    association.send(ipv4, hex("02"));
    await turn.run();
    expect(turn.connections).toHaveLength(2);
    association.close();
  });
});
