import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrowingWindow, GrowthBudget } from "../../protocol/growing-window.ts";
import { SEED } from "../support/arbitraries.ts";

const FIRST = 1000;

/** A window with a peer that sends as far as it may, by a way of `roundTripMs`. */
class Peer {
  now = 0;
  limit: number;
  readonly window: GrowingWindow;

  readonly budget: GrowthBudget;
  roundTripMs: number;

  constructor(budget: GrowthBudget, roundTripMs = 100, first = FIRST) {
    this.limit = first;
    this.budget = budget;
    this.roundTripMs = roundTripMs;
    this.window = new GrowingWindow(first, {
      clock: { now: () => this.now },
      budget,
      roundTripMs: () => this.roundTripMs,
    });
  }

  send(bytes = this.limit - this.window.received): void {
    this.window.arrive(Math.min(bytes, this.limit - this.window.received));
  }

  read(bytes = this.window.held): void {
    this.window.consume(Math.min(bytes, this.window.held));
    if (this.window.isGrantDue) this.limit = this.window.grant().limit;
  }

  /** Sends and reads all it may, a round trip each. */
  rounds(count: number): void {
    for (let round = 0; round < count; round++) {
      this.send();
      this.read();
      this.now += this.roundTripMs;
    }
  }
}

const budgetOf = (sessionWindow: number, held = 0): GrowthBudget =>
  new GrowthBudget(sessionWindow, () => held);

describe("GrowingWindow", () => {
  it("doubles while half of it is used within two round trips, up to half of the session", () => {
    const peer = new Peer(budgetOf(64_000));
    peer.rounds(1);
    expect(peer.window.size).toBe(2000);
    peer.rounds(10);
    expect(peer.window.size).toBe(32_000 + FIRST);
    expect(peer.budget.available).toBe(0);
  });

  it("stays where it is when half of it takes longer", () => {
    const slow = new Peer(budgetOf(64_000));
    for (let count = 0; count < 50; count++) {
      slow.send(200);
      slow.read();
      slow.now += 100;
    }
    expect(slow.window.size).toBe(FIRST);
  });

  it.each([0, 2.9])("grows to 1 MiB and no more for a round trip of %f ms", (roundTripMs) => {
    for (const [first, most] of [
      [100_000, 1_048_576],
      [1_100_000, 1_100_000],
    ] as const) {
      const near = new Peer(budgetOf(64_000_000), roundTripMs, first);
      near.rounds(50);
      expect(near.window.size).toBe(most);
    }
  });

  it("goes back when the round trip turns out to be short", () => {
    const peer = new Peer(budgetOf(6_400_000), 100, 100_000);
    peer.rounds(4);
    expect(peer.window.size).toBe(1_600_000);
    peer.roundTripMs = 1;
    peer.rounds(50);
    expect([peer.window.size, peer.budget.taken]).toEqual([1_048_576, 948_576]);
  });

  it("stays where it is for a reader who never catches up", () => {
    const peer = new Peer(budgetOf(64_000));
    for (let count = 0; count < 50; count++) {
      peer.send();
      peer.read(peer.window.held - 1);
      peer.now += 50;
    }
    expect(peer.window.size).toBe(FIRST);
  });

  it("halves for each second in which half of it was not used, and gives the budget back", () => {
    const peer = new Peer(budgetOf(64_000));
    peer.rounds(4);
    const grown = peer.window.size;
    expect(grown).toBe(16_000);
    for (let count = 0; count < 10; count++) {
      peer.now += 1000;
      peer.send(100);
      peer.read();
    }
    expect(peer.window.size).toBe(FIRST);
    // What was granted stays granted, and counts until it is used.
    expect(peer.budget.taken).toBe(peer.window.outstanding - FIRST);
    expect(peer.window.outstanding).toBeGreaterThan(FIRST);
    for (let count = 0; count < 500; count++) {
      peer.send(100);
      peer.read();
      peer.now += 500;
    }
    expect([peer.window.size, peer.budget.taken]).toEqual([FIRST, 0]);
  });

  it("is granted in eighths once it is large, so that one round trip's bytes fill it", () => {
    const peer = new Peer(budgetOf(64_000));
    peer.rounds(4);
    peer.send(1999);
    peer.window.consume(1999);
    expect(peer.window.isGrantDue).toBe(false);
    peer.send(1);
    peer.window.consume(1);
    expect(peer.window.isGrantDue).toBe(true);
  });

  it("shares what there is to grow with the other streams, and gives it back at its end", () => {
    const budget = budgetOf(20_000);
    const [first, second] = [new Peer(budget), new Peer(budget)];
    first.rounds(10);
    second.rounds(10);
    expect(first.window.size).toBe(11_000);
    expect(second.window.size).toBe(FIRST);
    first.window.close();
    second.rounds(10);
    expect(second.window.size).toBe(11_000);
    first.read();
    expect(budget.taken).toBe(10_000);
  });

  it("does not grow while what is unread takes half of the session", () => {
    const peer = new Peer(budgetOf(64_000, 32_000));
    peer.rounds(10);
    expect(peer.window.size).toBe(FIRST);
  });

  it("never takes back a limit, holds more than it granted, or stops a reader [M-58]", () => {
    const step = fc.record({ send: fc.nat(9000), read: fc.nat(9000), wait: fc.nat(3000) });
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budget = budgetOf(20_000);
      const peer = new Peer(budget);
      for (const { send, read, wait } of steps) {
        const before = peer.limit;
        peer.send(send);
        peer.read(read);
        peer.now += wait;
        expect(peer.limit).toBeGreaterThanOrEqual(before);
        expect(peer.window.outstanding).toBeLessThanOrEqual(FIRST + budget.taken);
        expect(budget.taken).toBeLessThanOrEqual(10_000);
      }
      peer.read();
      expect(peer.limit).toBeGreaterThan(peer.window.received);
      peer.window.close();
      expect(budget.taken).toBe(0);
    });
    fc.assert(property, { ...SEED, numRuns: 300 });
  });
});
