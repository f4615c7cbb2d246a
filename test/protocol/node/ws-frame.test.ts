import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeFrameHeader,
  encodeFrameHeader,
  Opcode,
  WebSocketError,
} from "../../../protocol/node/ws-frame.ts";
import { MAX_MESSAGE } from "../../../protocol/wire.ts";
import { SEED } from "../../support/arbitraries.ts";
import { hex, toHex } from "../../support/hex.ts";
import { masks, rawFrame } from "../../support/ws-frames.ts";

const ROOM = 14;

function encoded(opcode: Opcode, length: number, mask?: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ROOM);
  return bytes.subarray(encodeFrameHeader(bytes, ROOM, opcode, length, mask));
}

const rejection = (bytes: Uint8Array, isMasked = false): unknown => {
  try {
    return decodeFrameHeader(bytes, 0, isMasked);
  } catch (error) {
    return error;
  }
};

// RFC 6455 section 5.7, as far as its examples are binary or control frames.
const vectors = [
  ["a Ping of 5 bytes", Opcode.Ping, 5, undefined, "8905"],
  ["a masked Pong of 5 bytes", Opcode.Pong, 5, hex("37fa213d"), "8a85 37fa213d"],
  ["a message of 256 bytes", Opcode.Binary, 256, undefined, "827e 0100"],
  ["a message of 64 KiB", Opcode.Binary, 65_536, undefined, "827f 0000000000010000"],
  [
    "a masked message of 64 KiB",
    Opcode.Binary,
    65_536,
    hex("01020304"),
    "82ff 0000000000010000 01020304",
  ],
] as const;

describe.each(vectors)("the header of %s", (_name, opcode, length, mask, bytes) => {
  it("is encoded to the bytes of RFC 6455", () => {
    expect(toHex(encoded(opcode, length, mask))).toBe(toHex(hex(bytes)));
  });

  it("is decoded from them", () => {
    const start = hex(bytes).length;
    expect(decodeFrameHeader(hex(bytes), 0, mask !== undefined)).toEqual({
      isFinal: true,
      opcode,
      mask,
      start,
      end: start + length,
    });
  });

  it("is not there yet when it is cut at any byte", () => {
    const whole = hex(bytes);
    for (let end = 0; end < whole.length; end++) {
      expect(decodeFrameHeader(whole.subarray(0, end), 0, mask !== undefined)).toBeUndefined();
    }
  });
});

describe("encodeFrameHeader()", () => {
  it("writes what decodeFrameHeader() reads, and a naive encoder writes too", () => {
    const lengths = fc.oneof(fc.nat(130), fc.constantFrom(65_535, 65_536), fc.nat(MAX_MESSAGE));
    const property = fc.property(lengths, fc.option(masks, { nil: undefined }), (length, mask) => {
      const header = encoded(Opcode.Binary, length, mask);
      expect(decodeFrameHeader(header, 0, mask !== undefined)).toMatchObject({
        opcode: Opcode.Binary,
        end: header.length + length,
      });
      if (length > 200) return;
      const naive = rawFrame({ opcode: 2, payload: new Uint8Array(length), ...(mask && { mask }) });
      expect(header).toEqual(naive.subarray(0, header.length));
    });
    fc.assert(property, SEED);
  });
});

describe("decodeFrameHeader()", () => {
  it.each([
    ["RSV1", "c2 00", 1002],
    ["RSV2", "a2 00", 1002],
    ["RSV3", "92 00", 1002],
    ["a reserved opcode", "83 00", 1002],
    ["a reserved control opcode", "8b 00", 1002],
    ["text", "81 00", 1003],
    ["a mask where none may be", "82 80 01020304", 1002],
    ["a Ping in pieces", "09 00", 1002],
    ["a Close of 126 bytes", "88 7e 007e", 1002],
    ["a message of one byte too much", "82 7f 0000000000100001", 1009],
    ["a length of 2^63", "82 7f 8000000000000000", 1009],
    ["a length of 2^53", "82 7f 0020000000000000", 1009],
  ])("rejects %s", (_what, bytes, closeCode) => {
    expect(rejection(hex(bytes))).toBeInstanceOf(WebSocketError);
    expect(rejection(hex(bytes))).toMatchObject({ closeCode });
  });

  it("rejects a frame of a client without a mask", () => {
    expect(rejection(hex("82 00"), true)).toMatchObject({ closeCode: 1002 });
  });

  it("takes the longest message that may be", () => {
    expect(rejection(hex("82 7f 0000000000100000"))).toMatchObject({ end: 10 + MAX_MESSAGE });
  });

  it("makes of any bytes a header, nothing yet, or a WebSocketError", () => {
    const property = fc.property(
      fc.uint8Array({ maxLength: 16 }),
      fc.boolean(),
      (bytes, masked) => {
        const found = rejection(bytes, masked);
        if (found === undefined) {
          expect(bytes.length).toBeLessThan(ROOM);
          return;
        }
        if (found instanceof WebSocketError) return;
        expect(found).toMatchObject({ isFinal: expect.any(Boolean) as boolean });
      },
    );
    fc.assert(property, { ...SEED, numRuns: 2000 });
  });
});
