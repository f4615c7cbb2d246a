import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Scheduler, Turn } from "../../protocol/scheduler.ts";
import { SEED } from "../support/arbitraries.ts";

interface Entry {
  readonly name: string;
  readonly turn: Turn;
}
const entry = (name: string): Entry => ({ name, turn: new Turn() });

/** A stream that has sent a lot just now. */
function bulk(name: string, scheduler: Scheduler<Entry>): Entry {
  const it = entry(name);
  scheduler.add(it, 0);
  scheduler.next();
  scheduler.served(it, 32_768);
  return it;
}

const names = (scheduler: Scheduler<Entry>): string[] => {
  const order: string[] = [];
  for (let next = scheduler.next(); next; next = scheduler.next()) order.push(next.name);
  return order;
};

describe("Scheduler", () => {
  it("has nobody next when it is empty", () => {
    const scheduler = new Scheduler<Entry>();
    expect([scheduler.isEmpty, scheduler.next()]).toEqual([true, undefined]);
  });

  it("serves in the order of coming, and an entry that is queued keeps its place", () => {
    const scheduler = new Scheduler<Entry>();
    const [a, b] = [entry("a"), entry("b")];
    for (const each of [a, b, a]) scheduler.add(each, 0);
    expect(scheduler.isEmpty).toBe(false);
    expect(names(scheduler)).toEqual(["a", "b"]);
    expect(scheduler.isEmpty).toBe(true);
  });

  it("serves a stream that sent little before those that sent much", () => {
    const scheduler = new Scheduler<Entry>();
    const [big, bigger] = [bulk("big", scheduler), bulk("bigger", scheduler)];
    for (const each of [big, bigger, entry("key")]) scheduler.add(each, 50);
    expect(names(scheduler)).toEqual(["key", "big", "bigger"]);
  });

  it("counts anew after 100 ms, not before", () => {
    const scheduler = new Scheduler<Entry>();
    const big = bulk("big", scheduler);
    scheduler.add(big, 100);
    scheduler.add(entry("key"), 100);
    expect(names(scheduler)).toEqual(["key", "big"]);
    scheduler.add(big, 101);
    scheduler.add(entry("key"), 101);
    expect(names(scheduler)).toEqual(["big", "key"]);
  });

  it("lets a bulk stream have every ninth turn at worst", () => {
    const scheduler = new Scheduler<Entry>();
    scheduler.add(bulk("BULK", scheduler), 1);
    const prompt = [entry("a"), entry("b")];
    for (const each of prompt) scheduler.add(each, 1);
    const order: string[] = [];
    for (let turn = 0; turn < 20; turn++) {
      const next = scheduler.next();
      if (!next) break;
      order.push(next.name);
      scheduler.add(next, 1);
    }
    expect(order.indexOf("BULK")).toBeLessThanOrEqual(8);
    expect(order.filter((name) => name === "BULK").length).toBeGreaterThanOrEqual(2);
  });

  it("lets a bulk stream go on with what is left of its quantum before the next has its turn", () => {
    const scheduler = new Scheduler<Entry>();
    const [cut, whole] = [bulk("cut", scheduler), bulk("whole", scheduler)];
    scheduler.served(whole, 32_768);
    // Of 65,536 bytes, `cut` has sent 32,768: somebody else's window was full.
    for (const each of [whole, cut]) scheduler.add(each, 1);
    expect(scheduler.next()).toBe(cut);
    expect(cut.turn.deficit).toBe(32_768);
    scheduler.served(cut, 32_768);
    scheduler.add(cut, 1);
    expect(names(scheduler)).toEqual(["whole", "cut"]);
    expect([whole.turn.deficit, cut.turn.deficit]).toEqual([65_536, 65_536]);
  });

  it("takes what a stream has sent beyond its quantum off its next one", () => {
    const scheduler = new Scheduler<Entry>();
    const [over, even] = [bulk("over", scheduler), bulk("even", scheduler)];
    for (const each of [over, even]) {
      each.turn.deficit = 65_536;
      scheduler.served(each, each === over ? 90_000 : 65_536);
      scheduler.add(each, 1);
    }
    expect(names(scheduler)).toEqual(["over", "even"]);
    expect([over.turn.deficit, even.turn.deficit]).toEqual([41_072, 65_536]);
  });

  it("takes no more than half a quantum off, as others may come who did not wait", () => {
    const scheduler = new Scheduler<Entry>();
    const alone = bulk("alone", scheduler);
    scheduler.served(alone, 1_000_000);
    scheduler.add(alone, 1);
    expect(scheduler.next()?.turn.deficit).toBe(32_768);
  });

  it("tells who is next, and leaves it there", () => {
    const scheduler = new Scheduler<Entry>();
    expect(scheduler.peek()).toBeUndefined();
    const big = bulk("big", scheduler);
    for (const each of [big, entry("key")]) scheduler.add(each, 1);
    for (const name of ["key", "big"]) {
      expect([scheduler.peek()?.name, scheduler.peek()?.name]).toEqual([name, name]);
      expect(scheduler.next()?.name).toBe(name);
    }
  });

  it("knows that it serves one stream alone after a megabyte, until it serves another", () => {
    const scheduler = new Scheduler<Entry>();
    const [a, b] = [entry("a"), entry("b")];
    for (let i = 0; i < 15; i++) scheduler.served(a, 65_536);
    expect(scheduler.servesOne).toBe(false);
    scheduler.served(a, 65_536);
    expect(scheduler.servesOne).toBe(true);
    scheduler.served(b, 1);
    expect(scheduler.servesOne).toBe(false);
    scheduler.served(a, 1_048_575);
    expect(scheduler.servesOne).toBe(false);
  });

  it("gives bulk streams the same bytes, whatever the network takes at once", () => {
    const rooms = fc.array(fc.integer({ min: 1, max: 200_000 }), {
      minLength: 200,
      maxLength: 400,
    });
    const property = fc.property(fc.integer({ min: 2, max: 6 }), rooms, (count, taken) => {
      const scheduler = new Scheduler<Entry>();
      const all = Array.from({ length: count }, (_, index) => bulk(String(index), scheduler));
      const sent = new Map(all.map((each) => [each, 0]));
      for (const each of all) scheduler.add(each, 1);
      for (const room of taken) {
        const next = scheduler.next();
        if (!next) throw new Error("Everybody has left the queue");
        // Half of them a little more than their turn, as its rest would be a frame of its own.
        const bytes = Math.min(room, next.turn.deficit + (room % 2) * 32_768);
        sent.set(next, (sent.get(next) ?? 0) + bytes);
        scheduler.served(next, bytes);
        scheduler.add(next, 1);
      }
      const bytes = [...sent.values()];
      expect(Math.max(...bytes) - Math.min(...bytes)).toBeLessThanOrEqual(2 * 65_536);
    });
    fc.assert(property, SEED);
  });

  it("serves everybody who is queued exactly once, whatever they have sent", () => {
    const sent = fc.array(fc.nat(100_000), { maxLength: 30 });
    const property = fc.property(sent, (bytes) => {
      const scheduler = new Scheduler<Entry>();
      const all = bytes.map((_, index) => entry(String(index)));
      for (const [index, each] of all.entries()) {
        scheduler.add(each, 0);
        scheduler.next();
        scheduler.served(each, bytes[index] ?? 0);
      }
      for (const each of all) scheduler.add(each, 1);
      expect(names(scheduler).toSorted()).toEqual(all.map(({ name }) => name).toSorted());
    });
    fc.assert(property, SEED);
  });
});
