import { describe, expect, it } from "vitest";
import { ReadBuffer } from "../../../edge-worker/egress/read-buffer.ts";

/** One read as a BYOB reader makes it: the memory comes back under a view of what was read. */
function readInto(buffer: ReadBuffer, share: number): number {
  const { length, buffer: memory } = buffer.take();
  buffer.giveBack(new Uint8Array(memory.transfer(), 0, Math.ceil(length * share)));
  return length;
}

const sizes = (buffer: ReadBuffer, ...shares: readonly number[]): number[] =>
  shares.map((share) => readInto(buffer, share));

describe("ReadBuffer", () => {
  it("begins small", () => {
    expect(new ReadBuffer().take()).toHaveLength(4096);
  });

  it("doubles while reads fill it, up to 256 KiB", () => {
    const full = Array.from({ length: 9 }, () => 1);
    expect(sizes(new ReadBuffer(), ...full)).toEqual([
      4096, 8192, 16_384, 32_768, 65_536, 131_072, 262_144, 262_144, 262_144,
    ]);
  });

  it("halves while reads leave three quarters of it empty, down to 4 KiB", () => {
    const shares = [1, 1, 1, 0.25, 0.01, 0.25, 0.01, 0.01];
    expect(sizes(new ReadBuffer(), ...shares)).toEqual([
      4096, 8192, 16_384, 32_768, 16_384, 8192, 4096, 4096,
    ]);
  });

  it("stays as it is while reads fill it in part", () => {
    expect(sizes(new ReadBuffer(), 1, 0.99, 0.5, 0.26, 0.5)).toEqual([
      4096, 8192, 8192, 8192, 8192,
    ]);
  });

  it("uses the memory again that a read gave back", () => {
    const buffer = new ReadBuffer();
    const memory = buffer.take().buffer.transfer();
    buffer.giveBack(new Uint8Array(memory, 0, 2000));
    expect(buffer.take().buffer).toBe(memory);
  });

  it("gives memory out once only", () => {
    const buffer = new ReadBuffer();
    buffer.giveBack(new Uint8Array(buffer.take().buffer.transfer(), 0, 2000));
    expect(buffer.take().buffer).not.toBe(buffer.take().buffer);
  });
});
