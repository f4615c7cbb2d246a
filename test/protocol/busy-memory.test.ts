import { describe, expect, it } from "vitest";
import { BusyMemory, HUGE_BYTES, LARGE_BYTES } from "../../protocol/busy-memory.ts";

describe("BusyMemory", () => {
  it("uses memory again that was given back, and keeps 16 large and 2 huge buffers", () => {
    const busy = new BusyMemory();
    for (const [kept, take] of [
      [16, () => busy.large()],
      [2, () => busy.huge()],
    ] as const) {
      const first = Array.from({ length: 20 }, take);
      for (const memory of first) busy.giveBack(memory);
      const again = Array.from({ length: 20 }, take);
      expect(again.filter((memory) => first.includes(memory))).toHaveLength(kept);
      for (const { byteLength } of again) busy.abandon(byteLength);
    }
  });

  it("is calm while two or less have memory, whatever became of that of others", () => {
    const busy = new BusyMemory();
    const [first, second] = [busy.large(), busy.huge()];
    expect([first.byteLength, second.byteLength]).toEqual([LARGE_BYTES, HUGE_BYTES]);
    expect(busy.isCalm).toBe(true);
    const third = busy.large();
    expect(busy.isCalm).toBe(false);
    busy.giveBack(third);
    expect(busy.isCalm).toBe(true);
    busy.large();
    busy.abandon(HUGE_BYTES);
    expect(busy.isCalm).toBe(true);
  });

  it("does not count memory of another size", () => {
    const busy = new BusyMemory();
    for (let i = 0; i < 3; i++) busy.large();
    busy.giveBack(new ArrayBuffer(4096));
    busy.abandon(0);
    expect(busy.isCalm).toBe(false);
  });
});
