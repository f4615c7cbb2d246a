import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter, encodeText } from "../../protocol/bytes.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { MAX_OFFSET } from "../../protocol/wire.ts";
import { SEED } from "../support/arbitraries.ts";
import { hex, toHex } from "../support/hex.ts";

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

describe("ByteReader", () => {
  it("reads big-endian fields one behind the other", () => {
    const reader = new ByteReader(hex("01 0203 04050607 00000008090a0b0c 6869 ff"));
    expect([reader.u8(), reader.u16(), reader.u32(), reader.u64()]).toEqual([
      0x01, 0x0203, 0x0405_0607, 0x8_090a_0b0c,
    ]);
    expect(reader.text(2)).toBe("hi");
    expect(toHex(reader.rest())).toBe("ff");
    expect(reader.remaining).toBe(0);
    expect(() => reader.end()).not.toThrow();
  });

  it("reads from within a larger buffer", () => {
    const within = hex("aaaa 0102 bbbb").subarray(2, 4);
    expect(new ByteReader(within).u16()).toBe(0x0102);
  });

  it("gives views, not copies", () => {
    const bytes = hex("010203");
    expect(new ByteReader(bytes).bytes(3).buffer).toBe(bytes.buffer);
  });

  it("refuses to run past the end, and has then not moved", () => {
    const reader = new ByteReader(hex("010203"));
    for (const read of [
      () => reader.u32(),
      () => reader.u64(),
      () => reader.bytes(4),
      () => reader.text(4),
    ]) {
      expect(read).toThrow(code("ERR_FRAME_LENGTH"));
    }
    expect(reader.remaining).toBe(3);
  });

  it("refuses a u64 above 2^53 - 1 [M-2]", () => {
    expect(new ByteReader(hex("001fffffffffffff")).u64()).toBe(MAX_OFFSET);
    for (const text of ["0020000000000000", "ffffffffffffffff"]) {
      expect(() => new ByteReader(hex(text)).u64(), text).toThrow(code("ERR_FRAME_FIELD"));
    }
  });

  it("refuses text that is not UTF-8 [M-3]", () => {
    for (const text of ["ff", "c328", "eda080", "c0af", "f4908080", "e282"]) {
      const bytes = hex(text);
      const read = (): string => new ByteReader(bytes).text(bytes.length);
      expect(read, text).toThrow(code("ERR_FRAME_FIELD"));
    }
  });

  it("keeps a byte order mark, which is a character like any other [M-3]", () => {
    expect(new ByteReader(hex("efbbbf 61")).text(4)).toBe("\uFEFFa");
  });

  it("refuses bytes behind the end", () => {
    const reader = new ByteReader(hex("0102"));
    reader.u8();
    expect(() => reader.end()).toThrow(code("ERR_FRAME_LENGTH"));
  });

  it("raises only ProtocolErrors, whatever it is asked of whatever bytes", () => {
    type Step = readonly ["u8" | "u16" | "u32" | "u64" | "text" | "bytes", number];
    const step = fc.tuple(
      fc.constantFrom("u8", "u16", "u32", "u64", "text", "bytes"),
      fc.nat(9),
    ) as fc.Arbitrary<Step>;
    const run = (bytes: Uint8Array, steps: readonly Step[]): void => {
      const reader = new ByteReader(bytes);
      try {
        for (const [name, length] of steps) {
          if (name === "text" || name === "bytes") reader[name](length);
          else reader[name]();
        }
        reader.end();
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), fc.array(step, { maxLength: 8 }), run),
      SEED,
    );
  });
});

describe("ByteWriter", () => {
  it("writes what ByteReader reads", () => {
    const numbers = fc.tuple(fc.nat(0xff), fc.nat(0xffff), fc.nat(0xffff_ffff), fc.nat(MAX_OFFSET));
    const property = fc.property(
      numbers,
      fc.uint8Array(),
      fc.nat(100),
      ([a, b, c, d], tail, capacity) => {
        const writer = new ByteWriter(new ArrayBuffer(capacity))
          .u8(a)
          .u16(b)
          .u32(c)
          .u64(d)
          .bytes(tail);
        expect(writer.length).toBe(15 + tail.length);
        const reader = new ByteReader(writer.take());
        expect([reader.u8(), reader.u16(), reader.u32(), reader.u64()]).toEqual([a, b, c, d]);
        expect(reader.rest()).toEqual(tail);
      },
    );
    fc.assert(property, SEED);
  });

  it("keeps what it has when it grows, from no capacity at all", () => {
    const writer = new ByteWriter(new ArrayBuffer(0));
    for (let value = 0; value < 300; value++) writer.u8(value & 0xff);
    expect([...writer.take()]).toEqual(Array.from({ length: 300 }, (_, value) => value & 0xff));
  });

  it("leaves room in front of what it writes, also when it grows", () => {
    const writer = new ByteWriter(new ArrayBuffer(8), 5).u32(0);
    expect(writer.length).toBe(4);
    writer.patchU32(0, 0xfedc_ba98);
    const bytes = writer.bytes(hex("0102030405")).take();
    expect(toHex(bytes)).toBe("fedcba980102030405");
    expect(bytes.byteOffset).toBe(5);
    expect(new ByteWriter(undefined, 5).length).toBe(0);
  });

  it("overwrites a length that is known only afterwards", () => {
    const writer = new ByteWriter(new ArrayBuffer(4)).u32(0).u8(7);
    writer.patchU32(0, 0xfedc_ba98);
    expect(toHex(writer.take())).toBe("fedcba9807");
  });
});

describe("encodeText()", () => {
  it("cuts at a character, never inside one", () => {
    expect(toHex(encodeText("aé€😀", 10))).toBe("61c3a9e282acf09f9880");
    expect(toHex(encodeText("aé€😀", 9))).toBe("61c3a9e282ac");
    expect(toHex(encodeText("aé€😀", 5))).toBe("61c3a9");
    expect(toHex(encodeText("aé€😀", 0))).toBe("");
  });

  it("writes what a decoder takes, for half a surrogate pair too", () => {
    const property = fc.property(fc.string({ unit: "binary" }), fc.nat(40), (text, limit) => {
      const bytes = encodeText(`\uD800${text}`, limit);
      expect(bytes.length).toBeLessThanOrEqual(limit);
      new ByteReader(bytes).text(bytes.length);
    });
    fc.assert(property, SEED);
  });
});
