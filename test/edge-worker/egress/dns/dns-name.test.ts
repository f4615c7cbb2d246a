import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeName, encodeName } from "../../../../edge-worker/egress/dns/dns-name.ts";
import { ByteReader, ByteWriter } from "../../../../protocol/bytes.ts";
import { ProtocolError } from "../../../../protocol/errors.ts";
import { SEED } from "../../../support/arbitraries.ts";
import { hex, toHex } from "../../../support/hex.ts";

function encode(name: string): Uint8Array {
  const writer = new ByteWriter();
  encodeName(writer, name);
  return writer.take();
}

/** Decodes the name at `at`, and tells how many bytes it took there. */
function decode(message: Uint8Array, at = 0): { name: string; length: number } {
  const reader = new ByteReader(message.subarray(at));
  const name = decodeName(reader, message);
  return { name, length: message.length - at - reader.remaining };
}

const longest = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;

describe("encodeName()", () => {
  it.each([
    ["", "00"],
    ["a", "01 61 00"],
    ["f.isi.arpa", "01 66 03 697369 04 61727061 00"],
  ])("writes %j as labels", (name, bytes) => {
    expect(toHex(encode(name))).toBe(toHex(hex(bytes)));
  });

  it("takes the longest name, and none longer", () => {
    expect(encode(longest)).toHaveLength(255);
    expect(() => encode(`${longest}x`)).toThrow(ProtocolError);
  });

  it.each(["a..b", ".", "a b", "a\u{e9}", `${"a".repeat(64)}.b`])("refuses %j", (name) => {
    expect(() => encode(name)).toThrow(ProtocolError);
  });
});

describe("decodeName()", () => {
  // The example of RFC 1035 section 4.1.4, at the offsets of the RFC less 20.
  const example = hex("0146 03495349 0441525041 00 03464f4f c000 c006 00");

  it.each([
    [0, "F.ISI.ARPA", 12],
    [12, "FOO.F.ISI.ARPA", 6],
    [18, "ARPA", 2],
    [20, "", 1],
  ])("follows the pointers of RFC 1035 at %i", (at, name, length) => {
    expect(decode(example, at)).toEqual({ name, length });
  });

  it.each([
    ["a pointer to itself", "c000"],
    ["a pointer forwards", "c002 00"],
    ["a pointer to a pointer to itself", "c000 c000"],
    ["a pointer into nothing", "ffff"],
    ["half a pointer", "c0"],
    ["a label of 64 bytes", `40 ${"61".repeat(64)} 00`],
    ["a reserved kind of label", "80 00"],
    ["a name without an end", "01 61"],
    ["a name that is too long", `${`3f ${"61".repeat(63)}`.repeat(4)} 00`],
  ])("refuses %s", (_what, bytes) => {
    const message = hex(bytes);
    expect(() => decode(message, message.length > 4 ? 0 : Math.max(0, message.length - 2))).toThrow(
      ProtocolError,
    );
  });

  it("refuses a chain of pointers that no name needs", () => {
    // A root at 0, and behind it pointers that lead to the one before.
    const pointers = Array.from({ length: 200 }, (_, i) => (i === 0 ? 0 : i * 2 - 1));
    const chain = [0, ...pointers.flatMap((to) => [0xc0 | (to >> 8), to & 0xff])];
    expect(decode(Uint8Array.from(chain), 1 + 2 * 126).name).toBe("");
    expect(() => decode(Uint8Array.from(chain), chain.length - 2)).toThrow("too many pointers");
  });

  it("writes what is no character of a name as its number", () => {
    expect(decode(hex("05 61 2e 5c 00 ff 00")).name).toBe("a\\046\\092\\000\\255");
  });

  it("is the inverse of encodeName()", () => {
    const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/);
    const names = fc
      .array(label, { maxLength: 6 })
      .map((labels) => labels.join("."))
      .filter((name) => name.length <= 253);
    fc.assert(
      fc.property(names, (name) => {
        const bytes = encode(name);
        expect(decode(bytes)).toEqual({ name, length: bytes.length });
      }),
      SEED,
    );
  });

  it("gives a name or a ProtocolError for whatever comes", () => {
    const octet = fc.oneof(fc.constantFrom(0, 1, 2, 3, 0xc0, 0xc1, 0xff), fc.nat(255));
    fc.assert(
      fc.property(fc.array(octet, { maxLength: 80 }), fc.nat(80), (octets, at) => {
        const message = Uint8Array.from(octets);
        try {
          expect(decode(message, Math.min(at, message.length)).name).toBeTypeOf("string");
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      SEED,
    );
  });
});
