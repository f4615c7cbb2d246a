import { describe, expect, it } from "vitest";
import { parseUpstreams } from "../../../../edge-worker/egress/upstream/upstream-settings.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { ConfigError } from "../../../../protocol/errors.ts";

const url = "socks5://ann:hush-hush@proxy.example:1080";

describe("parseUpstreams()", () => {
  it("reads an upstream that says no more than where it is", () => {
    expect(parseUpstreams([{ url }])).toEqual([
      {
        url: {
          kind: "socks5",
          address: parseAddress("proxy.example", 1080),
          user: { name: "ann", password: "hush-hush" },
        },
        mode: "fallback",
      },
    ]);
  });

  it("reads all that it may say, in order", () => {
    const conditions = { to: [".example.com"], ports: ["1-1023", 8080], protocol: ["tcp"] };
    const upstreams = parseUpstreams([
      { url, mode: "always", users: ["ann"], ...conditions },
      { url: "http://proxy.example:3128", for: "cloudflare" },
    ]);
    expect(upstreams).toMatchObject([
      {
        mode: "always",
        users: ["ann"],
        ports: [
          [1, 1023],
          [8080, 8080],
        ],
        to: { domains: [".example.com"] },
      },
      { for: "cloudflare", url: { kind: "http" } },
    ]);
  });

  it("takes none", () => {
    expect(parseUpstreams([])).toEqual([]);
  });

  it.each<[unknown, string]>([
    [{}, "upstreams: expected a list of upstreams"],
    [undefined, "upstreams: expected a list of upstreams"],
    [[1], "upstreams[0]: expected a table"],
    [[{}], "upstreams[0].url: it is missing"],
    [[{ url: 5 }], "upstreams[0].url: expected a URL"],
    [[{ url: "ftp://hush-hush" }], "upstreams[0].url: expected socks5://"],
    [[{ url: "wss://me:hush-hush@h/" }], "upstreams[0].url: expected wss://KEYID:SECRET@HOST/PATH"],
    [[{ url }, { url, mode: "never" }], "upstreams[1].mode: expected always or fallback"],
    [[{ url, for: "everybody" }], "upstreams[0].for: expected cloudflare"],
    [[{ url, resolve: "there" }], "upstreams[0].resolve: expected here or upstream"],
    [[{ url, port: [1] }], "upstreams[0].port: it is unknown"],
    [[{ url, ports: [0] }], "upstreams[0].ports[0]: expected a port"],
    [[{ url, to: ["10.0.0.0/33"] }], "upstreams[0].to: expected an address"],
    [[{ url, protocol: ["icmp"] }], "upstreams[0].protocol[0]: expected one of"],
    [[{ url, users: "ann" }], "upstreams[0].users: expected a list of key ids"],
    [Array.from({ length: 65 }, () => ({ url })), "upstreams: expected 64 upstreams at most"],
  ])("refuses %j, and says where", (entries, text) => {
    const parse = () => parseUpstreams(entries);
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(`Cannot use ${text}`);
    expect(parse).toThrow(/^(?!.*hush).*$/s);
  });
});
