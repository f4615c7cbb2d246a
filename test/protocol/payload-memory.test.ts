import { describe, expect, it } from "vitest";
import { MESSAGE_BYTES, TURN_BYTES } from "../../protocol/message-memory.ts";
import { PayloadMemory } from "../../protocol/payload-memory.ts";
import { MAX_PAYLOAD } from "../../protocol/wire.ts";

describe("PayloadMemory", () => {
  it.each([
    0,
    1,
    TURN_BYTES / 4 - 1,
    TURN_BYTES / 4,
    TURN_BYTES,
    TURN_BYTES + 1,
    MESSAGE_BYTES,
    MESSAGE_BYTES + 1,
    MAX_PAYLOAD * 0.75,
    MAX_PAYLOAD,
    MAX_PAYLOAD + 1,
  ])("keeps a copy of %i bytes in memory of at most four times as much", (length) => {
    const bytes = new Uint8Array(length).fill(7);
    const kept = new PayloadMemory().keep(bytes);
    expect(kept).toEqual(bytes);
    expect(kept.buffer).not.toBe(bytes.buffer);
    expect(kept.buffer.byteLength).toBeLessThanOrEqual(4 * length);
  });

  it("uses a page again once it was given back, and never one that was not", () => {
    const memory = new PayloadMemory();
    const [first, second] = [memory.keep(page(1)), memory.keep(page(2))];
    memory.giveBack(first);
    expect(memory.keep(page(3)).buffer).toBe(first.buffer);
    expect(memory.keep(page(4)).buffer).not.toBe(second.buffer);
    expect(second.every((byte) => byte === 2)).toBe(true);
  });

  it.each([TURN_BYTES, MESSAGE_BYTES, MAX_PAYLOAD])(
    "keeps no more than 4 MiB in pages of %i bytes for later, and no memory of another size",
    (size) => {
      const memory = new PayloadMemory();
      memory.giveBack(memory.keep(new Uint8Array(100)));
      const pages = Array.from({ length: 80 }, () => memory.keep(page(1, size)));
      for (const one of pages) memory.giveBack(one);
      const old = new Set<unknown>(pages.map(({ buffer }) => buffer));
      const again = Array.from({ length: 80 }, () => memory.keep(page(2, size)));
      const reused = again.filter(({ buffer }) => old.has(buffer)).length;
      expect(reused * size).toBe(4_194_304);
    },
  );
});

function page(value: number, size = TURN_BYTES): Uint8Array {
  return new Uint8Array(size).fill(value);
}
