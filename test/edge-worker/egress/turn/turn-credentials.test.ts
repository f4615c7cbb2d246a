import { describe, expect, it } from "vitest";
import {
  hasIntegrity,
  importIntegrityKey,
} from "../../../../edge-worker/egress/turn/stun-integrity.ts";
import {
  type Attribute,
  attributeOf,
  decodeStun,
  StunAttribute,
  StunClass,
  StunMethod,
  type StunMessage,
} from "../../../../edge-worker/egress/turn/stun-message.ts";
import { decodeText, encodeText } from "../../../../edge-worker/egress/turn/stun-values.ts";
import { TurnCredentials } from "../../../../edge-worker/egress/turn/turn-credentials.ts";
import { md5 } from "../../../support/fake-turn.ts";

const id = new Uint8Array(12);

function errorOf(code: number, realm?: string, nonce?: string): StunMessage {
  const value = Uint8Array.of(0, 0, Math.floor(code / 100), code % 100);
  const attributes: Attribute[] = [{ type: StunAttribute.ErrorCode, value }];
  if (realm !== undefined) attributes.push({ type: StunAttribute.Realm, value: encodeText(realm) });
  if (nonce !== undefined) attributes.push({ type: StunAttribute.Nonce, value: encodeText(nonce) });
  return {
    class: StunClass.Error,
    method: 3,
    transactionId: id,
    attributes,
    integrityAt: undefined,
  };
}

async function requestOf(credentials: TurnCredentials) {
  const bytes = await credentials.encodeRequest(StunMethod.Allocate, id, []);
  const message = decodeStun(bytes);
  const text = (type: number) => {
    const value = attributeOf(message, type);
    return value && decodeText(value);
  };
  return { bytes, message, nonce: text(StunAttribute.Nonce), realm: text(StunAttribute.Realm) };
}

describe("TurnCredentials", () => {
  it("signs nothing before it has been challenged", async () => {
    const credentials = new TurnCredentials({ username: "ann", password: "pw", md5 });
    const { message, nonce } = await requestOf(credentials);
    expect(nonce).toBeUndefined();
    expect(message.integrityAt).toBeUndefined();
  });

  it("signs by the realm and nonce of the challenge", async () => {
    // A no-break space is a space, and the letters are composed (RFC 8265 section 4.2).
    const credentials = new TurnCredentials({ username: "ann", password: "a\u{a0}e\u{301}", md5 });
    expect(await credentials.learn(errorOf(401, "example.org", "n-1"))).toBe(true);
    const { bytes, message, nonce, realm } = await requestOf(credentials);
    expect([realm, nonce]).toEqual(["example.org", "n-1"]);
    const secret = new TextEncoder().encode("ann:example.org:a \u{e9}");
    const key = await importIntegrityKey(await md5(secret));
    expect(await hasIntegrity(bytes, message, key)).toBe(true);
  });

  it("takes a new nonce, with a realm or without", async () => {
    const credentials = new TurnCredentials({ username: "ann", password: "pw", md5 });
    await credentials.learn(errorOf(401, "example.org", "n-1"));
    expect(await credentials.learn(errorOf(438, undefined, "n-2"))).toBe(true);
    expect(await requestOf(credentials)).toMatchObject({ realm: "example.org", nonce: "n-2" });
    expect(await credentials.learn(errorOf(438, "other.example", "n-3"))).toBe(true);
    expect(await requestOf(credentials)).toMatchObject({ realm: "other.example", nonce: "n-3" });
  });

  it.each([
    ["a second refusal", errorOf(401, "example.org", "n-2")],
    ["another error", errorOf(403, "example.org", "n-2")],
    ["a stale nonce without a new one", errorOf(438, "example.org")],
  ])("sees no use in another try after %s", async (_what, response) => {
    const credentials = new TurnCredentials({ username: "ann", password: "pw", md5 });
    await credentials.learn(errorOf(401, "example.org", "n-1"));
    expect(await credentials.learn(response)).toBe(false);
  });

  it("cannot learn from a challenge without a realm", async () => {
    const credentials = new TurnCredentials({ username: "ann", password: "pw", md5 });
    expect(await credentials.learn(errorOf(401, undefined, "n-1"))).toBe(false);
  });
});
