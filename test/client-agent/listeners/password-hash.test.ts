import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  DEFAULT_COST,
  formatPasswordHash,
  memoryOf,
  parsePasswordHash,
} from "../../../client-agent/listeners/password-hash.ts";
import { ConfigError } from "../../../protocol/errors.ts";

const SALT = "c2FsdHNhbHRzYWx0c2FsdA";
const HASH = "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";
const text = `$scrypt$ln=15,r=8,p=1$${SALT}$${HASH}`;
const base64 = (length: number): string =>
  Buffer.alloc(length, 7).toString("base64").replaceAll("=", "");
const withCost = (cost: string): string => `$scrypt$${cost}$${SALT}$${HASH}`;
const withOctets = (salt: number, hash: number): string =>
  `$scrypt$ln=15,r=8,p=1$${base64(salt)}$${base64(hash)}`;

describe("parsePasswordHash()", () => {
  it("reads the parameters, the salt and the hash", () => {
    expect(parsePasswordHash(text)).toEqual({
      logN: 15,
      r: 8,
      p: 1,
      salt: new Uint8Array(Buffer.from("saltsaltsaltsalt")),
      hash: new Uint8Array(Buffer.from("hashhashhashhashhashhashhashhash")),
    });
  });

  it.each([
    withCost("ln=17,r=8,p=16"),
    withCost("ln=10,r=1,p=1"),
    withCost("ln=10,r=1024,p=1"),
    withOctets(8, 16),
    withOctets(64, 64),
  ])("takes what is at a bound: %s", (atBound) =>
    expect(formatPasswordHash(parsePasswordHash(atBound))).toBe(atBound),
  );

  it.each([
    [withCost("ln=18,r=8,p=1"), "ln is 18, not 10 to 17"],
    [withCost("ln=9,r=8,p=1"), "ln is 9, not 10 to 17"],
    [withCost("ln=17,r=9,p=1"), "150994944 bytes of memory"],
    [withCost("ln=10,r=1025,p=1"), "bytes of memory"],
    [withCost("ln=15,r=0,p=1"), "0 bytes of memory"],
    [withCost("ln=15,r=8,p=0"), "p is 0, not 1 to 16"],
    [withCost("ln=15,r=8,p=17"), "p is 17, not 1 to 16"],
    [withOctets(7, 32), "the length of the salt is 7, not 8 to 64"],
    [withOctets(65, 32), "the length of the salt is 65, not 8 to 64"],
    [withOctets(16, 15), "the length of the hash is 15, not 16 to 64"],
    [withOctets(16, 65), "the length of the hash is 65, not 16 to 64"],
    [`$scrypt$ln=15,r=8,p=1$${SALT}=$${HASH}`, "expected $scrypt$"],
    [`$scrypt$ln=15,r=8,p=1$${SALT}AAA$${HASH}`, "the salt is not base64"],
    [`$scrypt$ln=15,r=8,p=1$${SALT}$${HASH.slice(0, -1)}h`, "the hash is not base64"],
    [`$scrypt$ln=15,r=8,p=1$${SALT}$`, "expected $scrypt$"],
    [`$scrypt$ln=15,r=8$${SALT}$${HASH}`, "expected $scrypt$"],
    [`$scrypt$r=8,ln=15,p=1$${SALT}$${HASH}`, "expected $scrypt$"],
    [`$scrypt$ln=-1,r=8,p=1$${SALT}$${HASH}`, "expected $scrypt$"],
    [`$scrypt$ln=15,r=99999,p=1$${SALT}$${HASH}`, "expected $scrypt$"],
    [`$argon2id$v=19$m=65536,t=2,p=1$${SALT}$${HASH}`, "expected $scrypt$"],
    [`${text} `, "expected $scrypt$"],
    ["", "expected $scrypt$"],
  ])("refuses %s", (bad, why) => {
    try {
      parsePasswordHash(bad);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect(String(error)).toContain(why);
      // A hash is enough to guess at the password.
      expect(String(error)).not.toContain(HASH);
    }
  });

  it("refuses every text cut off before the shortest hash", () => {
    const shortest = text.lastIndexOf("$") + 22;
    for (let length = 0; length < shortest; length++) {
      expect(() => parsePasswordHash(text.slice(0, length)), `${length}`).toThrow(ConfigError);
    }
  });

  it("throws nothing but ConfigError", () =>
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from("$=,scryptln158AZ/+")) }),
        (garbage) => {
          expect(() => parsePasswordHash(`$scrypt$ln=15,r=8,p=1$${garbage}`)).toThrow(ConfigError);
        },
      ),
    ));
});

describe("formatPasswordHash()", () => {
  it("is the inverse of parsePasswordHash()", () => {
    const octets = (min: number) => fc.uint8Array({ minLength: min, maxLength: 64 });
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 17 }), octets(8), octets(16), (logN, salt, hash) => {
        const whole = { logN, r: 8, p: 1, salt, hash };
        expect(parsePasswordHash(formatPasswordHash(whole))).toEqual(whole);
      }),
    );
  });
});

describe("memoryOf()", () => {
  it("is 32 MiB for new hashes", () => expect(memoryOf(DEFAULT_COST)).toBe(33_554_432));
});
