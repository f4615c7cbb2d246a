import { describe, expect, it } from "vitest";
import { createPasswordCrypto, deriveScrypt } from "../../../client-agent/node/password-crypto.ts";
import { hex } from "../../support/hex.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("deriveScrypt()", () => {
  // RFC 7914 section 12: those vectors whose cost is within a second.
  it.each([
    [
      "password",
      "NaCl",
      { logN: 10, r: 8, p: 16 },
      `fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162
       2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640`,
    ],
    [
      "pleaseletmein",
      "SodiumChloride",
      { logN: 14, r: 8, p: 1 },
      `7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2
       d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887`,
    ],
  ])("gives the output of RFC 7914 for %j", async (password, salt, cost, expected) => {
    const hash = { ...cost, salt: bytes(salt), hash: new Uint8Array(64) };
    expect(await deriveScrypt(bytes(password), hash)).toEqual(hex(expected));
  });

  it("has the memory that the largest parameters ask for", async () => {
    const hash = { logN: 17, r: 8, p: 1, salt: bytes("saltsalt"), hash: new Uint8Array(16) };
    expect(await deriveScrypt(bytes("x"), hash)).toHaveLength(16);
  });
});

describe("createPasswordCrypto()", () => {
  const crypto = createPasswordCrypto();

  it("compares octets, and lengths", () => {
    expect(crypto.isEqual(hex("0102"), hex("0102"))).toBe(true);
    expect(crypto.isEqual(hex("0102"), hex("0103"))).toBe(false);
    expect(crypto.isEqual(hex("0102"), hex("01"))).toBe(false);
  });

  it("has a fingerprint for each pair, which tells neither", () => {
    const of = (name: string, password: string) => crypto.fingerprint(name, bytes(password));
    expect(of("ann", "secret")).toBe(of("ann", "secret"));
    const pairs = [
      of("ann", "secret"),
      of("an", "nsecret"),
      of("annsecret", ""),
      of("bob", "secret"),
    ];
    expect(new Set(pairs).size).toBe(4);
    expect(of("ann", "secret")).not.toContain("secret");
    expect(Buffer.from(of("ann", "secret"), "base64")).toHaveLength(32);
  });

  it("has fingerprints of its own in each process", () => {
    const other = createPasswordCrypto().fingerprint("ann", hex("01"));
    expect(other).not.toBe(crypto.fingerprint("ann", hex("01")));
  });
});
