import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { createPolicy } from "../../../edge-worker/policy/policy.ts";
import type { Protocol } from "../../../edge-worker/policy/rule.ts";
import { rulesSchema } from "../../../edge-worker/users/access.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";

type Entries = v.InferInput<typeof rulesSchema>;

/** What a policy of these rules says: "denied", "open", or undefined for a plain yes. */
function ask(
  entries: Entries,
  host: string,
  {
    port = 443,
    user = "ann",
    protocol = "tcp",
    name,
  }: { port?: number; user?: string; protocol?: Protocol; name?: string } = {},
): "denied" | "open" | undefined {
  const rules = v.parse(rulesSchema, entries);
  const policy = createPolicy({ allowPrivate: false, rules }, user, protocol);
  try {
    return policy(parseAddress(host, port), name);
  } catch (error) {
    expect(error).toBeInstanceOf(StreamError);
    expect(error).toMatchObject({ reason: "denied" });
    return "denied";
  }
}

describe("createPolicy() with rules", () => {
  it("lets the first rule that fits decide", () => {
    const rules: Entries = [
      { action: "allow", to: ["www.example.com"] },
      { action: "deny", to: ["example.com"] },
      { action: "allow" },
    ];
    expect(ask(rules, "www.example.com")).toBeUndefined();
    expect(ask(rules, "ftp.example.com")).toBe("denied");
    expect(ask(rules, "example.org")).toBeUndefined();
  });

  it("is a list of what is allowed where the last rule denies", () => {
    const rules: Entries = [
      { action: "allow", to: ["example.com"], ports: [443] },
      { action: "deny" },
    ];
    expect(ask(rules, "example.com")).toBeUndefined();
    expect(ask(rules, "example.com", { port: 80 })).toBe("denied");
    expect(ask(rules, "192.0.2.1")).toBe("denied");
    expect(ask(rules, "8.8.8.8")).toBe("denied");
  });

  it("knows an IPv4 address in its IPv4-mapped spelling", () => {
    const policy = createPolicy(
      { allowPrivate: true, rules: v.parse(rulesSchema, [{ action: "deny", to: ["10.0.0.0/8"] }]) },
      "ann",
      "tcp",
    );
    expect(() => policy(parseAddress("::ffff:10.0.0.1", 443))).toThrow("a rule of the edge");
    expect(() => policy(parseAddress("::ffff:11.0.0.1", 443))).not.toThrow();
  });

  it.each(["::ffff:10.0.0.0/104", "::ffff:10.0.0.1"])("takes %s in a rule as IPv4", (range) => {
    const rules: Entries = [{ action: "allow", to: [range] }, { action: "deny" }];
    expect(ask(rules, "10.0.0.1")).toBeUndefined();
    expect(ask(rules, "::ffff:10.0.0.1")).toBeUndefined();
    expect(ask(rules, "11.0.0.1")).toBe("denied");
  });

  it("tells users and protocols apart", () => {
    const rules: Entries = [
      { action: "deny", users: ["bob"] },
      { action: "deny", protocol: ["udp", "bind"] },
    ];
    expect(ask(rules, "example.com")).toBeUndefined();
    expect(ask(rules, "example.com", { user: "bob" })).toBe("denied");
    expect(ask(rules, "example.com", { protocol: "udp" })).toBe("denied");
    expect(ask(rules, "example.com", { protocol: "resolve" })).toBeUndefined();
  });

  describe("about addresses, asked about a name", () => {
    const denyRange: Entries = [{ action: "deny", to: ["8.8.8.0/24"] }];
    const allowRange: Entries = [{ action: "allow", to: ["10.0.0.0/8"] }, { action: "deny" }];

    it("leaves a denial open until the name is resolved", () => {
      expect(ask(denyRange, "dns.google")).toBe("open");
      expect(ask(denyRange, "8.8.8.8", { name: "dns.google" })).toBe("denied");
      expect(ask(denyRange, "8.8.4.4", { name: "dns.google" })).toBeUndefined();
    });

    it("does not deny a name that an earlier rule may allow", () => {
      expect(ask(allowRange, "nas.home.arpa")).toBe("open");
      expect(ask(allowRange, "10.1.2.3", { name: "nas.home.arpa" })).toBeUndefined();
      expect(ask(allowRange, "8.8.8.8", { name: "nas.home.arpa" })).toBe("denied");
    });

    it("denies a name at once that a rule names, whatever comes before", () => {
      const rules: Entries = [...denyRange, { action: "deny", to: ["example.com"] }];
      expect(ask(rules, "example.com")).toBe("denied");
    });
  });

  describe("against the defaults", () => {
    it("opens a special-purpose address by naming it, and not by a wider word", () => {
      expect(ask([{ action: "allow", to: ["10.0.0.0/8"] }], "10.0.0.1")).toBeUndefined();
      expect(ask([{ action: "allow" }], "10.0.0.1")).toBe("denied");
      expect(ask([{ action: "allow", ports: [443] }], "127.0.0.1")).toBe("denied");
    });

    it("does not open an address to the name that resolves to it", () => {
      const rules: Entries = [{ action: "allow", to: ["example.com"] }];
      expect(ask(rules, "example.com")).toBeUndefined();
      expect(ask(rules, "127.0.0.1", { name: "example.com" })).toBe("denied");
    });

    it("opens a local name by naming it", () => {
      expect(ask([{ action: "allow", to: ["nas.local"] }], "nas.local")).toBeUndefined();
      expect(ask([{ action: "allow" }], "nas.local")).toBe("denied");
    });

    it("opens port 25 by naming ports", () => {
      const port = 25;
      expect(ask([{ action: "allow", ports: ["1-100"] }], "example.com", { port })).toBeUndefined();
      expect(ask([{ action: "allow", to: ["example.com"] }], "example.com", { port })).toBe(
        "denied",
      );
      expect(ask([], "example.com", { port })).toBe("denied");
    });
  });
});
