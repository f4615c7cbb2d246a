import { describe, expect, it } from "vitest";
import { BusyMemory } from "../../../protocol/busy-memory.ts";
import { ReadBuffer } from "../../../edge-worker/egress/read-buffer.ts";

/** One read as a BYOB reader makes it: the memory comes back under a view of what was read. */
function readInto(buffer: ReadBuffer, share: number): number {
  const { length, buffer: memory } = buffer.take();
  buffer.giveBack(new Uint8Array(memory.transfer(), 0, Math.ceil(length * share)));
  return length;
}

const sizes = (buffer: ReadBuffer, ...shares: readonly number[]): number[] =>
  shares.map((share) => readInto(buffer, share));

const create = (busy = new BusyMemory()): ReadBuffer => new ReadBuffer(busy);

describe("ReadBuffer", () => {
  it("begins small", () => {
    expect(create().take()).toHaveLength(4096);
  });

  it("grows while reads fill it, up to 512 KiB", () => {
    const grown = [4096, 16_384, 131_072, 524_288, 524_288];
    expect(sizes(create(), 1, 1, 1, 1, 1)).toEqual(grown);
  });

  it("stays below, or goes back to 128 KiB, while more than two are busy", () => {
    const busy = new BusyMemory();
    const [first, second, third] = [create(busy), create(busy), create(busy)];
    sizes(first, 1, 1, 1, 1);
    sizes(second, 1, 1, 1);
    expect(sizes(third, 1, 1, 1, 1)).toEqual([4096, 16_384, 131_072, 131_072]);
    expect(sizes(first, 1, 1)).toEqual([524_288, 131_072]);
    second.close();
    expect(sizes(third, 1, 1)).toEqual([131_072, 524_288]);
  });

  it("leaves its memory to nobody when it is closed, be it in a read or not", () => {
    const busy = new BusyMemory();
    const others = [busy.large(), busy.large()];
    for (const isReading of [true, false]) {
      const buffer = create(busy);
      sizes(buffer, 1, 1, 1);
      const view = buffer.take();
      expect(busy.isCalm).toBe(false);
      if (!isReading) buffer.giveBack(view);
      buffer.close();
      buffer.close();
      if (isReading) buffer.giveBack(view);
      expect(busy.isCalm).toBe(true);
      expect(busy.large()).not.toBe(view.buffer);
      busy.abandon(view.buffer.byteLength);
    }
    expect(others).toHaveLength(2);
  });

  it("shrinks when reads leave three quarters of it empty, down to 4 KiB", () => {
    const shares = [1, 1, 0.25, 0.01, 0.25, 0.01, 1];
    expect(sizes(create(), ...shares)).toEqual([4096, 16_384, 131_072, 16_384, 4096, 4096, 4096]);
  });

  it("stays as it is while reads fill it in part", () => {
    expect(sizes(create(), 1, 0.99, 0.5, 0.26, 0.5)).toEqual([
      4096, 16_384, 16_384, 16_384, 16_384,
    ]);
  });

  it("uses the memory again that a read gave back", () => {
    const buffer = create();
    const memory = buffer.take().buffer.transfer();
    buffer.giveBack(new Uint8Array(memory, 0, 2000));
    expect(buffer.take().buffer).toBe(memory);
  });

  it("gives memory out once only", () => {
    const buffer = create();
    buffer.giveBack(new Uint8Array(buffer.take().buffer.transfer(), 0, 2000));
    expect(buffer.take().buffer).not.toBe(buffer.take().buffer);
  });

  it("leaves large memory to the next that is busy, and not before its bytes were taken", () => {
    const busy = new BusyMemory();
    const [first, second] = [create(busy), create(busy)];
    for (const buffer of [first, second]) sizes(buffer, 1, 1);
    const large = first.take().buffer.transfer();
    first.giveBack(new Uint8Array(large, 0, 100));
    const other = second.take().buffer;
    expect(other).not.toBe(large);
    second.giveBack(new Uint8Array(other.transfer()));
    expect(first.take().buffer.byteLength).toBe(16_384);
    const third = create(busy);
    sizes(third, 1, 1);
    expect(third.take().buffer).toBe(large);
  });
});
