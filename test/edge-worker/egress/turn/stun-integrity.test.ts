import { describe, expect, it } from "vitest";
import {
  hasIntegrity,
  hasValidFingerprint,
  importIntegrityKey,
  withFingerprint,
  withIntegrity,
} from "../../../../edge-worker/egress/turn/stun-integrity.ts";
import { decodeStun } from "../../../../edge-worker/egress/turn/stun-message.ts";
import { md5 } from "../../../support/fake-turn.ts";
import { toHex } from "../../../support/hex.ts";
import { RFC5769_PASSWORD, rfc5769 } from "../../../support/rfc5769.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
/** Section 2.4, the password as SASLprep makes it. */
const longTermKey = () =>
  md5(bytesOf("マトリックス:example.org:TheMatrIX")).then(importIntegrityKey);
const shortTermKey = () => importIntegrityKey(bytesOf(RFC5769_PASSWORD));

const vectors = [
  ["request", rfc5769.request.bytes, shortTermKey],
  ["IPv4 response", rfc5769.ipv4Response.bytes, shortTermKey],
  ["IPv6 response", rfc5769.ipv6Response.bytes, shortTermKey],
  ["long-term request", rfc5769.longTermRequest.bytes, longTermKey],
] as const;

/** The message up to where its MESSAGE-INTEGRITY begins, with the length it had then. */
function unsigned(bytes: Uint8Array): Uint8Array {
  const cut = bytes.slice(0, decodeStun(bytes).integrityAt);
  cut[3] = cut.length - 20;
  return cut;
}

describe.each(vectors)("the %s of RFC 5769", (_name, bytes, keyOf) => {
  it("has its integrity, and no other key's", async () => {
    const message = decodeStun(bytes);
    expect(await hasIntegrity(bytes, message, await keyOf())).toBe(true);
    const other = await importIntegrityKey(bytesOf("another password"));
    expect(await hasIntegrity(bytes, message, other)).toBe(false);
  });

  it("is what withIntegrity() makes", async () => {
    const signed = await withIntegrity(unsigned(bytes), await keyOf());
    expect(toHex(signed.subarray(-20))).toBe(
      toHex(bytes.subarray(signed.length - 20, signed.length)),
    );
  });

  it("has a valid fingerprint, if any, and none when one bit is another", () => {
    expect(hasValidFingerprint(bytes, decodeStun(bytes))).toBe(true);
    if (bytes === rfc5769.longTermRequest.bytes) return;
    for (const at of [2, 8, 25, bytes.length - 1]) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      expect(hasValidFingerprint(changed, decodeStunOf(bytes, changed)), `${at}`).toBe(false);
    }
  });
});

/** The attributes of a message whose header may not be readable any more. */
function decodeStunOf(bytes: Uint8Array, changed: Uint8Array) {
  const message = decodeStun(bytes);
  const value = changed.subarray(-4);
  const attributes = message.attributes.map((attribute, i) =>
    i === message.attributes.length - 1 ? { ...attribute, value } : attribute,
  );
  return { ...message, attributes };
}

describe("withFingerprint()", () => {
  it.each(vectors.slice(0, 3))("makes the one of the %s", (_name, bytes) => {
    const bare = bytes.slice(0, -8);
    bare[3] = bare.length - 20;
    expect(toHex(withFingerprint(bare))).toBe(toHex(bytes));
  });
});

describe("hasIntegrity()", () => {
  it("is false for a message without it", async () => {
    const bytes = withFingerprint(unsigned(rfc5769.request.bytes));
    expect(await hasIntegrity(bytes, decodeStun(bytes), await shortTermKey())).toBe(false);
  });
});
