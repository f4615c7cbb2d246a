import { describe, expect, it } from "vitest";
import type { PasswordCrypto } from "../../../client-agent/listeners/password-checker.ts";
import { createUsers } from "../../../client-agent/listeners/users.ts";
import { hashPasswords } from "../../../client-agent/node/hash-passwords.ts";
import { createPasswordCrypto } from "../../../client-agent/node/password-crypto.ts";
import { plainCrypto, plainHash } from "../../support/plain-users.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const { signal } = new AbortController();
// With the real scrypt: what is right must be right by that.
const hashes = await hashPasswords(
  new Map([
    ["alice", "wonderland"],
    ["zoë", "naïve pässword"],
  ]),
);
const users = createUsers(hashes, createPasswordCrypto());
const nobody = createUsers(new Map(), plainCrypto);

describe("createUsers()", () => {
  it("wants a name and password once there is a user", () => {
    expect(users.isRequired).toBe(true);
    expect(nobody.isRequired).toBe(false);
  });
});

describe("Users.verify()", () => {
  it("takes the right password", async () => {
    expect(await users.verify("alice", bytes("wonderland"), signal)).toBe("right");
  });

  it("compares the UTF-8 of names and passwords", async () => {
    expect(await users.verify("zoë", bytes("naïve pässword"), signal)).toBe("right");
  });

  it.each([
    ["another", "mad-hatter"],
    ["one of the same length", "wonderlanD"],
    ["a prefix", "wonder"],
    ["one that only begins right", "wonderland1"],
    ["none", ""],
    ["a single zero byte", "\0"],
    ["another user's", "naïve pässword"],
  ])("refuses a wrong password: %s", async (_what, password) => {
    expect(await users.verify("alice", bytes(password), signal)).toBe("wrong");
  });

  it.each(["bob", "", "Alice", "alice ", "alic", "__proto__"])(
    "refuses unknown user %j, whose password may be another's",
    async (name) => {
      expect(await users.verify(name, bytes("wonderland"), signal)).toBe("wrong");
    },
  );

  it("knows nobody when there are no users", async () => {
    expect(await nobody.verify("", bytes(""), signal)).toBe("wrong");
  });

  it("takes an unknown name for as much work as a known one, always the same", async () => {
    const costs = [10, 12];
    const asked: number[] = [];
    const crypto: PasswordCrypto = {
      ...plainCrypto,
      derive: (password, { logN }) => {
        asked.push(logN);
        return plainCrypto.derive(password, plainHash(""));
      },
    };
    const mixed = createUsers(
      new Map(costs.map((logN) => [`user ${logN}`, { ...plainHash("x"), logN }])),
      crypto,
    );
    for (const name of ["a", "b", "c"]) {
      asked.length = 0;
      for (const guess of ["x", "y", "z"]) await mixed.verify(name, bytes(guess), signal);
      expect(asked).toHaveLength(3);
      expect(new Set(asked).size).toBe(1);
      expect(costs).toContain(asked[0]);
    }
  });
});
