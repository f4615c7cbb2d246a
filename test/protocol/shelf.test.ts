import { describe, expect, it } from "vitest";
import { Shelf } from "../../protocol/shelf.ts";

describe("Shelf", () => {
  it("gives out again what was given back, and nothing that is still in use", () => {
    const shelf = new Shelf(100, 8);
    const first = shelf.take();
    expect(first.byteLength).toBe(100);
    expect(shelf.take()).not.toBe(first);
    shelf.giveBack(first);
    expect(shelf.take()).toBe(first);
    expect(shelf.take()).not.toBe(first);
  });

  it("keeps no buffer of another size, and no more than it may", () => {
    const shelf = new Shelf(100, 3);
    shelf.giveBack(new ArrayBuffer(64));
    const many = Array.from({ length: 5 }, () => shelf.take());
    expect(many.map(({ byteLength }) => byteLength)).toEqual([100, 100, 100, 100, 100]);
    for (const buffer of many) shelf.giveBack(buffer);
    const again = Array.from({ length: 5 }, () => shelf.take());
    expect(again.filter((buffer) => many.includes(buffer))).toHaveLength(3);
  });
});
