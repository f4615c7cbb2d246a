import { describe, expect, it } from "vitest";
import * as v from "valibot";
import { edgeUrl, edgeUrls, endpoint, seconds, toggle, users } from "../../cli/setting-types.ts";

/** What a schema makes of a value; for a value that it refuses, the first message. */
function parse(schema: v.GenericSchema, value: unknown): unknown {
  const result = v.safeParse(schema, value);
  return result.success ? result.output : { refused: result.issues[0].message };
}

const refused = (text: string) => ({ refused: expect.stringContaining(text) as string });

describe("endpoint", () => {
  it.each([
    ["127.0.0.1:1080", "127.0.0.1", 1080],
    ["0.0.0.0:8443", "0.0.0.0", 8443],
    ["localhost:0", "localhost", 0],
    ["my-host.example:65535", "my-host.example", 65_535],
    ["[::1]:1080", "::1", 1080],
    ["[::]:0", "::", 0],
    ["[2001:db8::1]:443", "2001:db8::1", 443],
    ["[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1", 80],
  ])("takes %s", (text, host, port) => {
    expect(parse(endpoint, text)).toEqual({ host, port });
  });

  it.each([
    ["no port", "", "127.0.0.1", "127.0.0.1:", "[::1]", "[::1]:", "localhost"],
    ["no host", "1080", ":1080", "[]:1080"],
    ["no number as port", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:1e3", "127.0.0.1:+1"],
    ["too high a port", "127.0.0.1:65536", "127.0.0.1:100000"],
    ["spaces", "127.0.0.1:80 ", " 127.0.0.1:80", "a b:80", "127.0.0.1:80\n"],
    ["an IPv6 address without brackets", "::1:1080", "::1"],
    [
      "brackets around something else",
      "[127.0.0.1]:80",
      "[localhost]:80",
      "[::g]:80",
      "[::1%lo]:80",
    ],
    ["a URL", "http://127.0.0.1:80", "127.0.0.1:80/path"],
    ["no text", 1080, true, null, ["127.0.0.1:80"]],
  ])("refuses %s", (_what, ...values) => {
    for (const value of values) {
      expect(parse(endpoint, value), String(value)).toEqual(refused("expected HOST:PORT"));
    }
  });
});

describe("edgeUrl", () => {
  it.each(["wss://edge.example/path", "ws://127.0.0.1:8787/", "wss://[::1]/", "wss://h/p?q=1"])(
    "takes %s",
    (text) => expect(parse(edgeUrl, text)).toEqual(new URL(text)),
  );

  it.each([
    ["another scheme", "https://h/", "http://h/", "ftp://h/", "//h/"],
    ["no URL", "", "edge.example", "edge.example/path", "wss://"],
    ["a user", "wss://user@h/", "wss://user:secret@h/"],
    ["a fragment", "wss://h/#part"],
  ])("refuses %s", (_what, ...texts) => {
    for (const text of texts) {
      expect(parse(edgeUrl, text), text).toEqual(refused("expected wss://HOST/PATH"));
    }
  });

  it("refuses what is not a text", () => {
    expect(parse(edgeUrl, 5)).toEqual(refused("expected a URL"));
  });
});

describe("edgeUrls", () => {
  const [a, b] = ["wss://a.example/", "ws://[::1]:8787/x"];

  it.each([
    ["one", a, [a]],
    ["several with commas", `${a}, ${b}`, [a, b]],
    ["a list", [b, a], [b, a]],
  ])("takes %s", (_what, value, urls) => {
    expect(parse(edgeUrls, value)).toEqual(urls.map((url) => new URL(url)));
  });

  it("refuses none, the same twice, more than 16, and any that is no edge", () => {
    const many = Array.from({ length: 17 }, (_, i) => `wss://h${i}/`);
    for (const value of [[], "", [a, a], `${a},`, [a, "https://h/"], many, 5, [5]]) {
      expect(parse(edgeUrls, value), String(value)).toEqual(refused("expected wss://HOST/PATH"));
    }
  });
});

describe("toggle", () => {
  it.each([
    [true, true],
    [false, false],
    ["true", true],
    ["false", false],
  ])("takes %j", (value, expected) => expect(parse(toggle, value)).toBe(expected));

  it.each(["", "yes", "1", "TRUE", 1, null])("refuses %j", (value) => {
    expect(parse(toggle, value)).toEqual({ refused: "expected true or false" });
  });
});

describe("seconds()", () => {
  it.each([
    [1, 1000],
    ["1", 1000],
    ["2.5", 2500],
    [0.5, 500],
    [60, 60_000],
    ["060", 60_000],
  ])("turns %j into milliseconds", (value, expected) => {
    expect(parse(seconds(0.5, 60), value)).toBe(expected);
  });

  it.each(["", "0.4", "61", "-1", "1s", "1e1", " 1", "0x10", 0, 61, NaN, Infinity, true, [1]])(
    "refuses %j",
    (value) => {
      expect(parse(seconds(0.5, 60), value)).toEqual({ refused: "expected 0.5 to 60 seconds" });
    },
  );
});

describe("users", () => {
  it.each([
    ["alice:secret", { alice: "secret" }],
    ["alice:secret,bob:hidden", { alice: "secret", bob: "hidden" }],
    ["alice:with:colons", { alice: "with:colons" }],
    [["alice:secret", "bob:a,b"], { alice: "secret", bob: "a,b" }],
    [[], {}],
    [`${"n".repeat(255)}:${"p".repeat(255)}`, { ["n".repeat(255)]: "p".repeat(255) }],
  ])("takes %j", (value, expected) => {
    expect(parse(users, value)).toEqual(new Map(Object.entries(expected)));
  });

  it.each([
    ["no password", "", "alice", "alice:", "alice:secret,bob", "alice:secret,"],
    ["no name", ":secret", ":"],
    ["a name twice", "alice:one,alice:two"],
    ["one too long", `${"n".repeat(256)}:p`, `n:${"p".repeat(256)}`],
    ["something else", 5, true, ["alice"], [["alice:secret"]], { alice: "secret" }],
  ])("refuses %s", (_what, ...values) => {
    for (const value of values) {
      const expected = refused("expected NAME:PASSWORD, each of 1 to 255 bytes");
      expect(parse(users, value), JSON.stringify(value)).toEqual(expected);
    }
  });

  const hash = `$scrypt$ln=15,r=8,p=1$${"A".repeat(22)}$${"A".repeat(43)}`;
  const parsed = {
    logN: 15,
    r: 8,
    p: 1,
    salt: new Uint8Array(16),
    hash: new Uint8Array(32),
  };

  it.each([
    [`ann:${hash}`, { ann: parsed }],
    [`ann:${hash},bob:secret,cid:${hash}`, { ann: parsed, bob: "secret", cid: parsed }],
    [[`ann:${hash}`, "bob:$scrypt"], { ann: parsed, bob: "$scrypt" }],
  ])("takes scrypt hashes in %j, commas and all", (value, expected) => {
    expect(parse(users, value)).toEqual(new Map(Object.entries(expected)));
  });

  it.each([
    ["ln=18,r=8,p=1", "ln is 18, not 10 to 17"],
    ["ln=17,r=64,p=1", "bytes of memory"],
    ["ln=15,r=8", "expected $scrypt$"],
  ])("refuses a hash with %s, and says why", (cost, why) => {
    const bad = hash.replace("ln=15,r=8,p=1", cost);
    for (const value of [[`ann:${bad}`], `ann:${bad}`]) {
      expect(parse(users, value)).toEqual({ refused: expect.stringContaining(why) });
    }
  });

  it("counts bytes, as RFC 1929 does: a longer password could never be sent", () => {
    expect(parse(users, `alice:${"ü".repeat(127)}`)).toBeInstanceOf(Map);
    expect(parse(users, `alice:${"ü".repeat(128)}`)).toEqual(refused("expected NAME:PASSWORD"));
    expect(parse(users, `${"ü".repeat(128)}:secret`)).toEqual(refused("expected NAME:PASSWORD"));
  });
});
