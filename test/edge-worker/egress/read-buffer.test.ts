import { describe, expect, it } from "vitest";
import { ReadBuffer, ReadPool } from "../../../edge-worker/egress/read-buffer.ts";

/** One read as a BYOB reader makes it: the memory comes back under a view of what was read. */
function readInto(buffer: ReadBuffer, share: number): number {
  const { length, buffer: memory } = buffer.take();
  buffer.giveBack(new Uint8Array(memory.transfer(), 0, Math.ceil(length * share)));
  return length;
}

const sizes = (buffer: ReadBuffer, ...shares: readonly number[]): number[] =>
  shares.map((share) => readInto(buffer, share));

const create = (): ReadBuffer => new ReadBuffer(new ReadPool());

describe("ReadBuffer", () => {
  it("begins small", () => {
    expect(create().take()).toHaveLength(4096);
  });

  it("grows while reads fill it, up to 128 KiB", () => {
    expect(sizes(create(), 1, 1, 1, 1)).toEqual([4096, 16_384, 131_072, 131_072]);
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
    const pool = new ReadPool();
    const [first, second] = [new ReadBuffer(pool), new ReadBuffer(pool)];
    for (const buffer of [first, second]) sizes(buffer, 1, 1);
    const large = first.take().buffer.transfer();
    first.giveBack(new Uint8Array(large, 0, 100));
    const other = second.take().buffer;
    expect(other).not.toBe(large);
    second.giveBack(new Uint8Array(other.transfer()));
    expect(first.take().buffer.byteLength).toBe(16_384);
    const third = new ReadBuffer(pool);
    sizes(third, 1, 1);
    expect(third.take().buffer).toBe(large);
  });
});

describe("ReadPool", () => {
  it("keeps 8 large buffers, and no small one", () => {
    const pool = new ReadPool();
    pool.giveBack(new ArrayBuffer(4096));
    const large = Array.from({ length: 10 }, () => pool.take(131_072));
    for (const memory of large) pool.giveBack(memory);
    const again = Array.from({ length: 10 }, () => pool.take(131_072));
    expect(again.filter((memory) => large.includes(memory)).length).toBe(8);
    expect(pool.take(4096).byteLength).toBe(4096);
  });
});
