import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeAddress,
  encodeAddress,
  formatAddress,
  hostOfOctets,
  parseAddress,
  parseHost,
  UNSPECIFIED,
} from "../../protocol/address.ts";
import { ByteReader, ByteWriter } from "../../protocol/bytes.ts";
import { StreamError } from "../../protocol/errors.ts";
import { addresses, SEED } from "../support/arbitraries.ts";
import { hex, toHex } from "../support/hex.ts";

describe("parseHost()", () => {
  it.each([
    ["EXAMPLE.Com", "name", "example.com"],
    ["example.com.", "name", "example.com"],
    ["bücher.example", "name", "xn--bcher-kva.example"],
    ["FAß.example", "name", "xn--fa-hia.example"],
    ["a\u3002b", "name", "a.b"],
    ["BÜCHER.example", "name", "xn--bcher-kva.example"],
    ["bu\u0308cher.example", "name", "xn--bcher-kva.example"],
    ["xn--bcher-kva.example", "name", "xn--bcher-kva.example"],
    ["XN--BCHER-KVA.EXAMPLE", "name", "xn--bcher-kva.example"],
    ["ｅｘａｍｐｌｅ.com", "name", "example.com"],
    ["例え.テスト", "name", "xn--r8jz45g.xn--zckzah"],
    ["пример.испытание", "name", "xn--e1afmkfd.xn--80akhbyknj4f"],
    ["☕.example", "name", "xn--53h.example"],
    ["a\u200bb.example", "name", "ab.example"],
    ["例え。テスト。", "name", "xn--r8jz45g.xn--zckzah"],
    ["localhost。", "name", "localhost"],
    ["192．0．2．1．", "ipv4", "192.0.2.1"],
    ["1９2｡0.2。①", "ipv4", "192.0.2.1"],
    ["_dmarc.example", "name", "_dmarc.example"],
    ["localhost", "name", "localhost"],
    ["192.0.2.1", "ipv4", "192.0.2.1"],
    ["192.0.2.1.", "ipv4", "192.0.2.1"],
    ["127.1", "ipv4", "127.0.0.1"],
    ["0x7f.0.0.1", "ipv4", "127.0.0.1"],
    ["0177.0.0.01", "ipv4", "127.0.0.1"],
    ["2130706433", "ipv4", "127.0.0.1"],
    ["０x7f000001", "ipv4", "127.0.0.1"],
    ["①②⑦.0.0.1", "ipv4", "127.0.0.1"],
    ["::1", "ipv6", "::1"],
    ["[::1]", "ipv6", "::1"],
    ["2001:DB8:0:0:1:0:0:1", "ipv6", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "ipv6", "2001:db8:0:1:1:1:1:1"],
    ["::ffff:192.0.2.1", "ipv6", "::ffff:c000:201"],
    ["64:ff9b::192.0.2.1", "ipv6", "64:ff9b::c000:201"],
  ])("reads %j as %s %j", (text, kind, host) => {
    expect(parseHost(text)).toEqual({ kind, host });
  });

  // RFC 4291 section 2.5.5.1: an "IPv4-compatible" address is not an "IPv4-mapped" one.
  it("reads ::192.0.2.1 as the address that it is, not as ::ffff:192.0.2.1", () => {
    expect(parseHost("::192.0.2.1")).toEqual({ kind: "ipv6", host: "::c000:201" });
  });

  it.each([
    "",
    ".",
    "..",
    "a..b",
    ".a",
    "a.b..",
    "a.b.。",
    "127.0.0.1..",
    "。",
    "👩‍💻.example",
    "xn--a-ä.example",
    `${"ü".repeat(60)}.example`,
    `${"ü.".repeat(60)}example`,
    "\u200b",
    "a b",
    " a",
    "a\n",
    "a\u0000b",
    "a/b",
    "a\\b",
    "a?b",
    "a#b",
    "u@a",
    "a:80",
    "%61",
    "a%2eb",
    "[a]",
    "[192.0.2.1]",
    "[::1",
    "::1]",
    "fe80::1%eth0",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    ":::",
    "g::1",
    "::1]/x",
    "::1]:80",
    "::1]?x",
    "::1]#x",
    "::1]@evil/",
    "::1]\\x",
    ":\n:1",
    "::1\t",
    " ::1",
    "[[::1]]",
    "256.0.0.1",
    "1.2.3.4.5",
    "a.0x1",
    "\u00ad",
    "a\uD800b",
    `${"a".repeat(64)}.example`,
  ])("refuses %j", (text) => {
    const failure = expect.objectContaining({ name: "StreamError", reason: "name-not-found" });
    expect(() => parseHost(text)).toThrow(failure);
  });

  it("takes 253 characters and labels of 63", () => {
    const label = "a".repeat(63);
    const host = `${label}.${label}.${label}.${"a".repeat(61)}`;
    expect(parseHost(host)).toEqual({ kind: "name", host });
    expect(parseHost(`${host}.`)).toEqual({ kind: "name", host });
    expect(() => parseHost(`${host}a`)).toThrow(StreamError);
  });

  it.each(["｛a.example", "a｝.example", "｀a.example", "＂a.example", "｜a.example"])(
    "refuses %j, which becomes a name with a delimiter in it",
    (text) => {
      expect(() => parseHost(text)).toThrow(StreamError);
    },
  );

  it("leaves what it has made as it is, for any text that it takes", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        ".",
        "0x",
        "127",
        "1",
        "xn--",
        ":",
        "::",
        "[",
        "]",
        "é",
        "ß",
        "。",
        "-",
        "_",
        "%",
      ),
      fc.string({ maxLength: 4 }),
      fc.string({ unit: "grapheme", maxLength: 3 }),
    );
    const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
    const property = fc.property(text, (input) => {
      let host;
      try {
        host = parseHost(input);
      } catch (error) {
        expect(error).toBeInstanceOf(StreamError);
        return;
      }
      expect(parseHost(host.host)).toEqual(host);
      const writer = new ByteWriter();
      encodeAddress(writer, { ...host, port: 1 });
      expect(decodeAddress(new ByteReader(writer.take()))).toEqual({ ...host, port: 1 });
    });
    fc.assert(property, { ...SEED, numRuns: 2000 });
  });
});

describe("hostOfOctets()", () => {
  it("writes IPv6 as the URL standard does", () => {
    const octet = fc.constantFrom(0, 0, 0, 1, 0x20, 0xff);
    const property = fc.property(fc.array(octet, { minLength: 16, maxLength: 16 }), (octets) => {
      const { kind, host } = hostOfOctets(Uint8Array.from(octets));
      expect(new URL(`http://[${host}]/`).hostname).toBe(`[${host}]`);
      expect(kind).toBe("ipv6");
    });
    fc.assert(property, { ...SEED, numRuns: 500 });
  });

  it("writes four octets as a dotted quad", () => {
    expect(hostOfOctets(hex("c0000201"))).toEqual({ kind: "ipv4", host: "192.0.2.1" });
  });
});

describe("formatAddress()", () => {
  it("puts IPv6 in brackets", () => {
    expect(formatAddress(parseAddress("::1", 80))).toBe("[::1]:80");
    expect(formatAddress(parseAddress("Example.com", 443))).toBe("example.com:443");
    expect(formatAddress(UNSPECIFIED)).toBe("0.0.0.0:0");
  });
});

describe("encodeAddress()", () => {
  it.each([
    ["192.0.2.1", 80, "01 c0000201 0050"],
    ["2001:db8::1", 443, "04 20010db8000000000000000000000001 01bb"],
    ["a.example", 65_535, "03 09 612e6578616d706c65 ffff"],
  ])("writes %s port %i as %s", (host, port, bytes) => {
    const writer = new ByteWriter();
    encodeAddress(writer, parseAddress(host, port));
    expect(toHex(writer.take())).toBe(bytes.replaceAll(" ", ""));
  });

  it("writes what decodeAddress() reads", () => {
    const property = fc.property(addresses, (address) => {
      const writer = new ByteWriter();
      encodeAddress(writer, address);
      const reader = new ByteReader(writer.take());
      expect(decodeAddress(reader)).toEqual(address);
      expect(reader.remaining).toBe(0);
    });
    fc.assert(property, { ...SEED, numRuns: 500 });
  });
});

describe("decodeAddress()", () => {
  const named = (name: Uint8Array): ByteReader =>
    new ByteReader(new ByteWriter().u8(0x03).u8(name.length).bytes(name).u16(80).take());

  it("refuses every address type but three [M-52]", () => {
    for (let type = 0; type < 256; type++) {
      if (type === 0x01 || type === 0x03 || type === 0x04) continue;
      const reader = new ByteReader(new ByteWriter().u8(type).bytes(new Uint8Array(20)).take());
      expect(() => decodeAddress(reader), String(type)).toThrow(
        expect.objectContaining({ code: "ERR_ADDRESS" }),
      );
    }
  });

  it.each([
    "",
    "A.example",
    "a.example.",
    "127.0.0.1",
    "127.1",
    "0x7f",
    "é.example",
    "::1",
    "[::1]",
    "a b",
    "a%2eb",
  ])("refuses the name %j, which is not canonical [M-53]", (name) => {
    const reader = named(new TextEncoder().encode(name));
    expect(() => decodeAddress(reader)).toThrow(expect.objectContaining({ code: "ERR_ADDRESS" }));
  });

  it("refuses a name behind a byte order mark [M-53]", () => {
    const reader = named(hex("efbbbf 612e6578616d706c65"));
    expect(() => decodeAddress(reader)).toThrow(expect.objectContaining({ code: "ERR_ADDRESS" }));
  });

  it("refuses an address that is cut at any byte", () => {
    for (const text of [
      "01 c0000201 0050",
      "04 20010db8000000000000000000000001 01bb",
      "03 01 61 0050",
    ]) {
      const bytes = hex(text);
      for (let length = 0; length < bytes.length; length++) {
        const decode = (): unknown => decodeAddress(new ByteReader(bytes.subarray(0, length)));
        expect(decode, `${text} at ${length}`).toThrow(
          expect.objectContaining({ name: "ProtocolError" }),
        );
      }
    }
  });
});
