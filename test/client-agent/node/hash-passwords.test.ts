import { describe, expect, it } from "vitest";
import { formatPasswordHash } from "../../../client-agent/listeners/password-hash.ts";
import {
  hashPassword,
  hashPasswords,
  type Password,
} from "../../../client-agent/node/hash-passwords.ts";
import { deriveScrypt } from "../../../client-agent/node/password-crypto.ts";

describe("hashPassword()", () => {
  it("makes a hash by which the password is known again", async () => {
    const hash = await hashPassword("naïve pässword");
    expect(formatPasswordHash(hash)).toMatch(
      /^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
    );
    const password = new TextEncoder().encode("naïve pässword");
    expect(await deriveScrypt(password, hash)).toEqual(hash.hash);
  });

  it("has a salt of its own for each", async () => {
    const [one, other] = await Promise.all([hashPassword("same"), hashPassword("same")]);
    expect(one.salt).not.toEqual(other.salt);
    expect(one.hash).not.toEqual(other.hash);
  });
});

describe("hashPasswords()", () => {
  it("hashes what is a text, and leaves a hash as it is", async () => {
    const hash = await hashPassword("one");
    const users = await hashPasswords(
      new Map<string, Password>([
        ["ann", hash],
        ["bob", "two"],
      ]),
    );
    expect([...users.keys()]).toEqual(["ann", "bob"]);
    expect(users.get("ann")).toBe(hash);
    expect(users.get("bob")).toMatchObject({ logN: 15, r: 8, p: 1 });
  });
});
