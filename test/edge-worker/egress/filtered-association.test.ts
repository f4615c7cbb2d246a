import { describe, expect, it } from "vitest";
import { createResolver } from "../../../edge-worker/egress/dns/resolver.ts";
import { FilteredAssociation } from "../../../edge-worker/egress/filtered-association.ts";
import type { Family, Outlet, OutletEvents } from "../../../edge-worker/egress/outlet.ts";
import { formatAddress, parseAddress } from "../../../protocol/address.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { hex, toHex } from "../../support/hex.ts";
import { strictPolicy } from "../../support/policies.ts";

const one = parseAddress("8.8.8.8", 5000);
const six = parseAddress("2600::1", 5000);

/** An outlet that keeps what is sent. */
class FakeOutlet implements Outlet {
  readonly family: Family;
  readonly events: OutletEvents;
  readonly sent: string[] = [];
  readonly forgotten: string[] = [];
  closeCount = 0;
  isFull = false;

  constructor(family: Family, events: OutletEvents) {
    this.family = family;
    this.events = events;
  }

  send(to: typeof one, bytes: Uint8Array): boolean {
    if (!this.isFull) this.sent.push(`${formatAddress(to)} ${toHex(bytes)}`);
    return !this.isFull;
  }

  forget(peer: typeof one): void {
    this.forgotten.push(formatAddress(peer));
  }

  close(): void {
    this.closeCount++;
  }
}

/** An association whose names mean these addresses, once `names` says so. */
function associate(data: readonly string[] = ["8.8.8.8"]) {
  const clock = new FakeClock();
  const outlets: FakeOutlet[] = [];
  const delivered: string[] = [];
  const names = Promise.withResolvers<void>();
  const asked: string[] = [];
  const look = async (name: string) => {
    asked.push(name);
    await names.promise;
    return { data, ttlMs: 0 };
  };
  const association = new FilteredAssociation({
    clock,
    policy: strictPolicy,
    resolver: createResolver({ addressesOf: look, namesOf: look }),
    idleTimeoutMs: 60_000,
    openOutlet: (family, events) => {
      const outlet = new FakeOutlet(family, events);
      outlets.push(outlet);
      return outlet;
    },
    deliver: (from, bytes) => void delivered.push(`${formatAddress(from)} ${toHex(bytes)}`),
  });
  return { clock, outlets, delivered, names, asked, association };
}

describe("FilteredAssociation.send()", () => {
  it("has one outlet for each family, opened when it is needed", () => {
    const { association, outlets } = associate();
    expect(outlets).toEqual([]);
    for (const to of [one, six, { ...one, port: 1 }]) association.send(to, hex("01"));
    expect(outlets.map(({ family, sent }) => [family, sent])).toEqual([
      [4, ["8.8.8.8:5000 01", "8.8.8.8:1 01"]],
      [6, ["[2600::1]:5000 01"]],
    ]);
  });

  it("asks for a name once, and sends what waited", async () => {
    const { clock, association, outlets, names, asked } = associate();
    const name = parseAddress("name.test", 5000);
    const lent = hex("01");
    association.send(name, lent);
    lent.fill(0xee);
    association.send({ ...name, port: 5001 }, hex("02"));
    names.resolve();
    await clock.run();
    association.send(name, hex("03"));
    expect(asked).toEqual(["name.test"]);
    expect(outlets[0]?.sent).toEqual(["8.8.8.8:5000 01", "8.8.8.8:5001 02", "8.8.8.8:5000 03"]);
  });

  it("drops and counts what it does not relay", async () => {
    const { clock, association, outlets, names } = associate(["127.0.0.1"]);
    names.resolve();
    association.send(parseAddress("127.0.0.1", 5000), hex("01"));
    association.send(parseAddress("localhost", 5000), hex("01"));
    association.send({ ...one, port: 0 }, hex("01"));
    association.send({ ...one, port: 25 }, hex("01"));
    association.send(parseAddress("rebound.test", 5000), hex("01"));
    await clock.run();
    expect(outlets).toEqual([]);
    expect(association.dropped).toBe(5);
    association.send(one, hex("01"));
    const [outlet] = outlets as [FakeOutlet];
    outlet.isFull = true;
    association.send(one, hex("02"));
    expect(association.dropped).toBe(6);
  });

  it("lets 64 datagrams wait for names", async () => {
    const { clock, association, outlets, names } = associate();
    const name = parseAddress("name.test", 5000);
    for (let i = 0; i < 70; i++) association.send(name, Uint8Array.of(i));
    expect(association.dropped).toBe(6);
    names.resolve();
    await clock.run();
    expect(outlets[0]?.sent).toHaveLength(64);
  });
});

describe("FilteredAssociation and what comes in", () => {
  it("delivers from whom was sent to, and counts strangers", () => {
    const { association, outlets, delivered } = associate();
    association.send(one, hex("01"));
    outlets[0]?.events.take(one, hex("02"));
    outlets[0]?.events.take({ ...one, port: 5001 }, hex("03"));
    expect(delivered).toEqual(["8.8.8.8:5000 02"]);
    expect(association.dropped).toBe(1);
  });
});

describe("FilteredAssociation and silence", () => {
  it("closes an outlet when its last peer has been silent, and opens another", async () => {
    const { clock, association, outlets } = associate();
    association.send(one, hex("01"));
    association.send(six, hex("01"));
    await clock.advance(30_000);
    association.send({ ...one, port: 1 }, hex("01"));
    await clock.advance(30_000);
    expect(outlets.map(({ forgotten }) => forgotten)).toEqual([
      ["8.8.8.8:5000"],
      ["[2600::1]:5000"],
    ]);
    expect(outlets.map(({ closeCount }) => closeCount)).toEqual([0, 1]);
    outlets[0]?.events.take({ ...one, port: 1 }, hex("02"));
    association.send(six, hex("03"));
    expect(outlets).toHaveLength(3);
    await clock.advance(60_000);
    expect(outlets.map(({ closeCount }) => closeCount)).toEqual([1, 1, 1]);
    expect(clock.timerCount).toBe(0);
  });

  it("opens another outlet when one has ended by itself", () => {
    const { association, outlets } = associate();
    association.send(one, hex("01"));
    outlets[0]?.events.ended();
    association.send(one, hex("02"));
    expect(outlets[1]?.sent).toEqual(["8.8.8.8:5000 02"]);
  });
});

describe("FilteredAssociation.close()", () => {
  it("closes its outlets, and relays nothing more", async () => {
    const { clock, association, outlets, delivered, names } = associate();
    association.send(one, hex("01"));
    association.send(parseAddress("name.test", 5000), hex("02"));
    association.close();
    names.resolve();
    await clock.run();
    association.send(one, hex("03"));
    outlets[0]?.events.take(one, hex("04"));
    expect(outlets.map(({ sent, closeCount }) => [sent, closeCount])).toEqual([
      [["8.8.8.8:5000 01"], 1],
    ]);
    expect(delivered).toEqual([]);
    expect(clock.timerCount).toBe(0);
  });
});
