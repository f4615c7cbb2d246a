import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseUpstreamUrl } from "../../../../edge-worker/egress/upstream/upstream-url.ts";
import { Keyring } from "../../../../protocol/admission.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { ConfigError } from "../../../../protocol/errors.ts";

const SECRET = "a-secret-long-enough";

describe("parseUpstreamUrl(), proxies", () => {
  it.each([
    ["socks5://proxy.example:9050", "socks5", "proxy.example", 9050],
    ["socks5://proxy.example", "socks5", "proxy.example", 1080],
    ["socks5://PROXY.example./", "socks5", "proxy.example", 1080],
    ["socks5://[::1]:1081", "socks5", "::1", 1081],
    ["http://192.0.2.7:3128", "http", "192.0.2.7", 3128],
    ["http://proxy.example", "http", "proxy.example", 80],
    ["http://bücher.example:81/", "http", "xn--bcher-kva.example", 81],
  ] as const)("reads %s", (text, kind, host, port) => {
    const address = parseAddress(host, port);
    expect(parseUpstreamUrl(text)).toEqual({ kind, address, user: undefined });
  });

  it.each([
    ["socks5://ann:secret@h:1", "ann", "secret"],
    ["socks5://a%3Ab:p%40ss%25@h:1", "a:b", "p@ss%"],
    ["http://ann:p:w@h:1", "ann", "p:w"],
    ["http://ann@h:1", "ann", ""],
    ["socks5://%C3%BC:%F0%9F%94%91@h:1", "ü", "🔑"],
  ])("reads the user of %s", (text, name, password) => {
    expect(parseUpstreamUrl(text)).toMatchObject({ user: { name, password } });
  });
});

describe("parseUpstreamUrl(), edges", () => {
  it.each([
    [`wss://me:${SECRET}@edge.example/path?x=1`, "wss://edge.example/path?x=1"],
    [`ws://me:${SECRET}@127.0.0.1:8787/`, "ws://127.0.0.1:8787/"],
  ])("takes key id and secret out of %s", (text, href) => {
    const upstream = parseUpstreamUrl(text);
    expect(upstream.kind === "edge" && upstream.url.href).toBe(href);
  });

  it("makes tokens of that key", async () => {
    const upstream = parseUpstreamUrl(`wss://me:${SECRET}@edge.example/`);
    if (upstream.kind !== "edge") throw new Error("It is not an edge");
    const place = { host: "edge.example", path: "/" };
    const token = await upstream.admission.issue(place, 1_000_000);
    const keyring = new Keyring([{ id: "me", secret: SECRET, expiresAt: Infinity }]);
    expect(await keyring.check(token, place, 1_000_000)).toBeDefined();
  });
});

describe("parseUpstreamUrl() refuses", () => {
  it.each([
    "",
    "proxy.example:1080",
    "ftp://proxy.example",
    "socks4://proxy.example",
    "socks5://",
    "socks5://:1080",
    "socks5://h:0",
    "socks5://h:70000",
    "socks5://h:1/path",
    "socks5://h:1?query",
    "http://h:1/#hash",
    "socks5://a b:1",
    "socks5://ann@h:1",
    "socks5://:hush-hush@h:1",
    "http://a%3Ab:hush-hush@h:1",
    "socks5://ann:%FF@h:1",
    `socks5://${"a".repeat(256)}:hush-hush@h:1`,
    `socks5://ann:${"hush-hush".repeat(29)}@h:1`,
    "wss://edge.example/",
    "wss://me@edge.example/",
    "wss://me:hush-hush@edge.example/",
    "wss://not a key:hush-hush-hush-hush@edge.example/",
    "wss://no.key:hush-hush-hush-hush@edge.example/",
  ])("%s", (text) => {
    expect(() => parseUpstreamUrl(text)).toThrow(ConfigError);
    // Nothing of the text is in the error: it may be a password in the wrong place.
    expect(() => parseUpstreamUrl(text)).toThrow(/^(?!.*hush).*$/s);
  });

  it("any other text by ConfigError alone", () =>
    fc.assert(
      fc.property(
        fc.constantFrom("socks5://", "http://", "wss://", ""),
        fc.string(),
        (scheme, rest) => {
          try {
            parseUpstreamUrl(scheme + rest);
          } catch (error) {
            expect(error).toBeInstanceOf(ConfigError);
          }
        },
      ),
      { numRuns: 500 },
    ));
});
