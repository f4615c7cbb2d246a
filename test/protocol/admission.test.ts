import { createHmac } from "node:crypto";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  Admission,
  type Admitted,
  bearerOf,
  Keyring,
  NonceCache,
  placeOf,
  TOLERANCE_MS,
} from "../../protocol/admission.ts";
import { SEED } from "../support/arbitraries.ts";
import { admissionVectors } from "../support/protocol-md.ts";

const SECRET = "0123456789abcdef";
const NOW = 1_763_726_400_000;
const place = { host: "edge.example", path: "/t" };
const admission = new Admission("agent", SECRET);
const keyring = new Keyring([
  { id: "other", secret: "another secret, as long", expiresAt: Infinity },
  { id: "agent", secret: SECRET, expiresAt: Infinity },
]);

afterEach(() => void vi.restoreAllMocks());

/** Section 11 written down a second time, with another library. */
function tokenOf(
  keyId: string,
  seconds: number | string,
  nonce: string,
  at = place,
  secret = SECRET,
): string {
  const signed = `${keyId}.${seconds}.${nonce}`;
  const input = ["edgesocks admission 1", at.host, at.path, signed].join("\n");
  return `${signed}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}
const NONCE = "AAECAwQFBgcICQoLDA0ODw";
const SECONDS = NOW / 1000;

describe("new Admission()", () => {
  it.each(["", "a b", "a.b", "é", "a".repeat(33)])("refuses the key id %j", (keyId) => {
    expect(() => new Admission(keyId, SECRET)).toThrow(
      expect.objectContaining({ code: "ERR_ADMISSION" }),
    );
  });

  it("refuses a secret of fewer than 16 characters, and does not say it", () => {
    const short = SECRET.slice(1);
    const make = (): unknown => new Admission("agent", short);
    expect(make).toThrow(expect.objectContaining({ code: "ERR_ADMISSION" }));
    expect(make).not.toThrow(short);
  });
});

describe("Admission.issue()", () => {
  it.each(admissionVectors())("makes the token of PROTOCOL.md for $keyId", async (vector) => {
    vi.spyOn(crypto, "getRandomValues").mockImplementation((array) => {
      if (array instanceof Uint8Array) array.set(vector.nonce);
      return array;
    });
    const issuer = new Admission(vector.keyId, vector.secret);
    expect(await issuer.issue(vector.place, vector.timeMs + 999)).toBe(vector.token);
  });

  it("never makes the same token twice [M-70]", async () => {
    const tokens = await Promise.all(Array.from({ length: 50 }, () => admission.issue(place, NOW)));
    expect(new Set(tokens).size).toBe(50);
  });
});

describe("Keyring.check()", () => {
  it("takes a token that another implementation made", async () => {
    const admitted = await keyring.check(tokenOf("agent", SECONDS, NONCE), place, NOW);
    expect(admitted).toEqual({ keyId: "agent", nonce: NONCE, expiresAt: NOW + TOLERANCE_MS });
  });

  it("takes it within 120 s either way, and not a millisecond beyond [M-71]", async () => {
    const token = tokenOf("agent", SECONDS, NONCE);
    for (const shift of [-TOLERANCE_MS, 0, TOLERANCE_MS]) {
      expect(await keyring.check(token, place, NOW + shift), String(shift)).toBeDefined();
    }
    for (const shift of [-TOLERANCE_MS - 1, TOLERANCE_MS + 1]) {
      expect(await keyring.check(token, place, NOW + shift), String(shift)).toBeUndefined();
    }
  });

  it.each([
    ["host", tokenOf("agent", SECONDS, NONCE, { ...place, host: "other.example" })],
    ["path", tokenOf("agent", SECONDS, NONCE, { ...place, path: "/T" })],
    ["secret", tokenOf("agent", SECONDS, NONCE, place, `${SECRET}x`)],
    ["key id", tokenOf("agent2", SECONDS, NONCE)],
    [
      "host and path, run together",
      tokenOf("agent", SECONDS, NONCE, { host: "edge.example\n/t", path: "" }),
    ],
  ])("refuses a token of another %s [M-71]", async (_what, token) => {
    expect(await keyring.check(token, place, NOW)).toBeUndefined();
  });

  it("refuses a token with any one character changed", async () => {
    const token = tokenOf("agent", SECONDS, NONCE);
    // The last character of base64url has two spare bits; what they say is not signed and not used.
    for (let at = 0; at < token.length - 1; at++) {
      const changed = `${token.slice(0, at)}${token[at] === "A" ? "B" : "A"}${token.slice(at + 1)}`;
      expect(await keyring.check(changed, place, NOW), changed).toBeUndefined();
    }
  });

  it("computes the MAC for a wrong key id and a wrong time too [M-72]", async () => {
    const verify = vi.spyOn(crypto.subtle, "verify");
    await keyring.check(tokenOf("nobody", SECONDS, NONCE), place, NOW);
    await keyring.check(tokenOf("agent", 1, NONCE), place, NOW);
    expect(verify).toHaveBeenCalledTimes(2);
  });

  it("refuses any other text, and never throws", async () => {
    const piece = fc.oneof(fc.constantFrom(".", "agent", NONCE, String(SECONDS), "="), fc.string());
    const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
    const property = fc.asyncProperty(text, async (token) => {
      expect(await keyring.check(token, place, NOW)).toBeUndefined();
    });
    await fc.assert(property, { ...SEED, numRuns: 300 });
  });
});

describe("NonceCache", () => {
  const admitted = (nonce: string, expiresAt: number, keyId = "agent"): Admitted => ({
    keyId,
    nonce,
    expiresAt,
  });

  it("takes a nonce once for each key id [M-73]", () => {
    const nonces = new NonceCache(10);
    expect([nonces.take(admitted("n", 100), 0), nonces.take(admitted("n", 100), 100)]).toEqual([
      true,
      false,
    ]);
    expect(nonces.take(admitted("n", 100, "other"), 0)).toBe(true);
  });

  it("remembers a nonce for as long as its token could be taken, when it is full too [M-73]", () => {
    const nonces = new NonceCache(1);
    nonces.take(admitted("n", 100), 0);
    expect(nonces.take(admitted("n", 100), 100)).toBe(false);
  });

  it("refuses tokens when it is full, until one has ended [M-73]", () => {
    const nonces = new NonceCache(2);
    expect([nonces.take(admitted("a", 100), 0), nonces.take(admitted("b", 200), 0)]).toEqual([
      true,
      true,
    ]);
    expect(nonces.take(admitted("c", 300), 100)).toBe(false);
    expect(nonces.take(admitted("c", 300), 101)).toBe(true);
    expect(nonces.take(admitted("d", 300), 101)).toBe(false);
  });
});

describe("bearerOf()", () => {
  it.each([
    ["Bearer a.b.c", "a.b.c"],
    ["bearer   a.b.c", "a.b.c"],
    ["Basic a.b.c", ""],
    ["Bearer", ""],
    ["Bearer a b", ""],
    ["", ""],
    [null, ""],
    [undefined, ""],
  ])("of %j is %j", (header, token) => {
    expect(bearerOf(header)).toBe(token);
  });
});

describe("placeOf()", () => {
  it.each([
    ["wss://Edge.Example:8443/A/b?query#fragment", "edge.example", "/A/b"],
    ["wss://edge.example", "edge.example", "/"],
    ["ws://[2001:DB8::1]:80/a b", "[2001:db8::1]", "/a%20b"],
    ["wss://bücher.example/é", "xn--bcher-kva.example", "/%C3%A9"],
    ["wss://edge.example/a/../b/./c", "edge.example", "/b/c"],
  ])("of %s is %s and %s", (url, host, path) => {
    expect(placeOf(new URL(url))).toEqual({ host, path });
  });
});
