import { describe, expect, it } from "vitest";
import { createUsers } from "../../../client-agent/listeners/users.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const users = createUsers(
  new Map([
    ["alice", "wonderland"],
    ["zoë", "naïve pässword"],
  ]),
);

describe("createUsers()", () => {
  it("wants a name and password once there is a user", () => {
    expect(users.isRequired).toBe(true);
    expect(createUsers(new Map()).isRequired).toBe(false);
  });
});

describe("Users.verify()", () => {
  it("takes the right password", () => {
    expect(users.verify("alice", bytes("wonderland"))).toBe(true);
  });

  it("compares the UTF-8 of names and passwords", () => {
    expect(users.verify("zoë", bytes("naïve pässword"))).toBe(true);
  });

  it.each([
    ["another", "mad-hatter"],
    ["one of the same length", "wonderlanD"],
    ["a prefix", "wonder"],
    ["one that only begins right", "wonderland1"],
    ["one that repeats itself", "wonderlandwonderland"],
    ["none", ""],
    ["a single zero byte", "\0"],
    ["another user's", "naïve pässword"],
  ])("refuses a wrong password: %s", (_what, password) => {
    expect(users.verify("alice", bytes(password))).toBe(false);
  });

  it.each(["bob", "", "Alice", "alice ", "alic", "__proto__"])(
    "refuses unknown user %j",
    (name) => {
      for (const password of ["wonderland", "", "\0"]) {
        expect(users.verify(name, bytes(password))).toBe(false);
      }
    },
  );

  it("knows nobody when there are no users", () => {
    expect(createUsers(new Map()).verify("", bytes(""))).toBe(false);
  });
});
