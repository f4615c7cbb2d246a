import { describe, expect, it } from "vitest";
import { type AccessEntries, parseAccess } from "../../../edge-worker/users/access.ts";
import { Users } from "../../../edge-worker/users/users.ts";
import type { Usage } from "../../../edge-worker/users/usage.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const ann = { id: "ann", secret: "the secret of ann" };
const bob = { id: "bob", secret: "the secret of bob" };
const saved: [user: string, usage: Usage][] = [];

function usersOf(keys: AccessEntries["keys"], rules: AccessEntries["rules"] = []) {
  const clock = new FakeClock();
  const users = new Users({
    ...parseAccess({ keys, rules }),
    allowPrivate: false,
    clock,
    wallNow: () => clock.now(),
    store: { load: () => undefined, save: (user, usage) => void saved.push([user, usage]) },
  });
  const allows = (id: string, host: string): boolean | undefined => {
    try {
      users.find(id)?.policyFor("tcp")(parseAddress(host, 443));
      return users.find(id) && true;
    } catch {
      return false;
    }
  };
  return { users, clock, allows };
}

describe("Users", () => {
  it("finds those there are", () => {
    const { users } = usersOf([ann]);
    expect(users.find("ann")).toBeDefined();
    expect(users.find("bob")).toBeUndefined();
    expect(users.find("constructor")).toBeUndefined();
  });

  it("asks the rules of the user first, then those for everybody", () => {
    const own = { ...ann, rules: [{ action: "allow" as const, to: ["www.example.com"] }] };
    const { allows } = usersOf([own, bob], [{ action: "deny", to: ["example.com"] }]);
    expect(allows("ann", "www.example.com")).toBe(true);
    expect(allows("ann", "ftp.example.com")).toBe(false);
    expect(allows("bob", "www.example.com")).toBe(false);
  });

  it("knows nobody whose key has expired", async () => {
    const { users, clock } = usersOf([{ ...ann, expires: new Date(1000) }, bob]);
    expect(users.find("ann")).toBeDefined();
    await clock.advance(1000);
    expect(users.find("ann")).toBeUndefined();
    expect(users.find("bob")).toBeDefined();
  });

  it("takes other keys and rules, and counts on", () => {
    const { users, allows } = usersOf([{ ...ann, streams: 2 }, bob]);
    users.find("ann")?.account.enter();
    users.replace(
      parseAccess({ keys: [{ ...ann, streams: 1 }], rules: [{ action: "deny", to: ["8.8.8.8"] }] }),
    );
    expect(users.find("bob")).toBeUndefined();
    expect(allows("ann", "8.8.8.8")).toBe(false);
    expect(() => users.find("ann")?.account.enter()).toThrow(
      expect.objectContaining({ reason: "quota-exceeded" }),
    );
  });

  it("saves what everybody has used", () => {
    const { users } = usersOf([{ ...ann, "streams-per-minute": 5 }, bob]);
    users.find("ann")?.account.enter();
    users.save();
    expect(saved).toEqual([["ann", { day: 0, bytes: 0, minute: 0, opens: 1 }]]);
  });
});
