import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { fitOf, type Rule, ruleSchema, type Subject } from "../../../edge-worker/policy/rule.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { SEED } from "../../support/arbitraries.ts";

type Entry = v.InferInput<typeof ruleSchema>;

const rule = (entry: Omit<Entry, "action">): Rule =>
  v.parse(ruleSchema, { action: "deny", ...entry });
const subject = (host: string, port = 443, changes: Partial<Subject> = {}): Subject => ({
  user: "ann",
  protocol: "tcp",
  address: parseAddress(host, port),
  ...changes,
});

describe("fitOf()", () => {
  it("fits everything where there is no condition", () => {
    expect(fitOf(rule({}), subject("example.com"))).toBe("any");
    expect(fitOf(rule({}), subject("10.0.0.1", 0))).toBe("any");
  });

  it.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.8", false],
    ["2001:db8::/32", "2001:db8:1::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["0.0.0.0/0", "::1", false],
    ["0x7f.1", "127.0.0.1", true],
  ])("%s and the address %s: %s", (to, host, fits) => {
    expect(fitOf(rule({ to: [to] }), subject(host))).toBe(fits ? "address" : undefined);
  });

  it.each([
    ["example.com", "example.com", true],
    ["example.com", "a.b.example.com", true],
    ["example.com", "badexample.com", false],
    [".example.com", "example.com", false],
    [".example.com", "a.example.com", true],
    ["EXAMPLE.com.", "example.com", true],
    ["bücher.example", "xn--bcher-kva.example", true],
  ])("%s and the name %s: %s", (to, host, fits) => {
    expect(fitOf(rule({ to: [to] }), subject(host))).toBe(fits ? "name" : undefined);
  });

  it("knows an address by the name that it was resolved from", () => {
    const resolved = subject("192.0.2.7", 443, { name: "www.example.com" });
    expect(fitOf(rule({ to: ["example.com"] }), resolved)).toBe("name");
    expect(fitOf(rule({ to: ["192.0.2.0/24"] }), resolved)).toBe("address");
    expect(fitOf(rule({ to: ["example.org"] }), resolved)).toBeUndefined();
  });

  it("leaves open what only the address of a name can tell", () => {
    expect(fitOf(rule({ to: ["10.0.0.0/8", "example.org"] }), subject("example.com"))).toBe("open");
    expect(fitOf(rule({ to: ["example.org"] }), subject("example.com"))).toBeUndefined();
  });

  it.each<[Omit<Entry, "action">, boolean]>([
    [{ ports: [443] }, true],
    [{ ports: ["400-500", 22] }, true],
    [{ ports: ["442"] }, false],
    [{ protocol: ["udp", "tcp"] }, true],
    [{ protocol: ["udp"] }, false],
    [{ users: ["bob", "ann"] }, true],
    [{ users: ["bob"] }, false],
    [{ users: ["ann"], protocol: ["udp"] }, false],
    [{ ports: [443], to: ["example.org"] }, false],
  ])("asks for every condition of %j: %s", (conditions, fits) => {
    expect(fitOf(rule(conditions), subject("example.com")) !== undefined).toBe(fits);
  });
});

describe("ruleSchema", () => {
  it.each<[object, RegExp]>([
    [{ action: "permit" }, /expected allow or deny/],
    [{ action: "deny", to: ["exa mple"] }, /not .+exa mple/],
    [{ action: "deny", to: [".10.0.0.1"] }, /not .+\.10\.0\.0\.1/],
    [{ action: "deny", to: "10.0.0.0/8" }, /expected an address/],
    [{ action: "deny", to: ["10.0.0.0/33"] }, /expected an address/],
    [{ action: "deny", ports: [0] }, /expected a port/],
    [{ action: "deny", ports: ["5-4"] }, /expected a port/],
    [{ action: "deny", ports: [65_536] }, /expected a port/],
    [{ action: "deny", protocol: ["sctp"] }, /expected one of tcp, udp, bind, resolve/],
    [{ action: "deny", prots: [1] }, /prots/],
  ])("refuses %j", (entry, message) => {
    const result = v.safeParse(ruleSchema, entry);
    expect(result.success).toBe(false);
    expect(
      JSON.stringify(result.issues?.map((issue) => [issue.message, issue.path?.at(-1)?.key])),
    ).toMatch(message);
  });

  it("takes or refuses any text as a target, and never throws", () => {
    const property = fc.property(fc.string(), (text) => {
      v.safeParse(ruleSchema, { action: "allow", to: [text], ports: [text] });
    });
    fc.assert(property, SEED);
  });
});
