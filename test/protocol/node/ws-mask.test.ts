import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyMask, maskByWords } from "../../../protocol/node/ws-mask.ts";
import { SEED } from "../../support/arbitraries.ts";
import { hex } from "../../support/hex.ts";
import { masks } from "../../support/ws-frames.ts";

describe.each([
  ["applyMask()", applyMask],
  ["maskByWords()", maskByWords],
])("%s", (_name, mask) => {
  it("masks the example of RFC 6455 section 5.7", () => {
    const bytes = hex("48 65 6c 6c 6f");
    mask(bytes, hex("37 fa 21 3d"));
    expect(bytes).toEqual(hex("7f 9f 4d 51 58"));
  });

  it("XORs byte by byte wherever the bytes lie, and touches no others", () => {
    const property = fc.property(
      fc.uint8Array({ maxLength: 90 }),
      fc.nat(9),
      masks,
      (bytes, offset, key) => {
        const memory = new Uint8Array(offset + bytes.length + 9).fill(0x55);
        memory.set(bytes, offset);
        const expected = memory.slice();
        for (const [i, byte] of bytes.entries()) expected[offset + i] = byte ^ (key[i % 4] ?? 0);
        mask(memory.subarray(offset, offset + bytes.length), key);
        expect(memory).toEqual(expected);
      },
    );
    fc.assert(property, { ...SEED, numRuns: 500 });
  });
});
