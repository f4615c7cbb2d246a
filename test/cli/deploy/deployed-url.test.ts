import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { edgeOf, healthPageOf } from "../../../cli/deploy/deployed-url.ts";

const nothing = { "worker-url": undefined, domain: undefined };
const deployed = (...targets: string[]): string =>
  `{"type":"wrangler-session"}\n${JSON.stringify({ type: "deploy", targets })}\n`;

describe("edgeOf()", () => {
  it("believes the settings first", () => {
    const url = new URL("wss://elsewhere.example/path");
    const output = deployed("https://a.b.workers.dev");
    expect(edgeOf({ "worker-url": url, domain: "edge.example.com" }, output, [])).toBe(url);
    const domain = "edge.example.com";
    expect(edgeOf({ ...nothing, domain }, output, [])?.href).toBe("wss://edge.example.com/");
  });

  it("takes the first address at workers.dev of the output file", () => {
    const targets = [
      "edge.example.com (custom domain)",
      "https://a.b.workers.dev",
      "https://c.d.workers.dev",
    ];
    const lines = ["https://x.y.workers.dev"];
    expect(edgeOf(nothing, deployed(...targets), lines)?.href).toBe("wss://a.b.workers.dev/");
  });

  it("takes what wrangler has said where there is no output file", () => {
    const lines = [
      "Deployed a triggers (1.2 sec)",
      "  https://a.b.workers.dev",
      "Current Version ID: 1",
    ];
    expect(edgeOf(nothing, "", lines)?.href).toBe("wss://a.b.workers.dev/");
  });

  it.each([
    ["https://a.b.workers.dev.evil.example"],
    ["http://a.b.workers.dev"],
    ["https://developers.cloudflare.com/workers"],
  ])("takes no other address, such as %s", (text) => {
    expect(edgeOf(nothing, deployed(text), [text])).toBeUndefined();
  });

  it("takes any output file, be it what it may", () => {
    fc.assert(
      fc.property(fc.string(), fc.json(), (text, json) => {
        expect(edgeOf(nothing, `${text}\n${json}\n`, [])).toBeUndefined();
      }),
    );
  });
});

describe("healthPageOf()", () => {
  it.each([
    ["wss://a.b.workers.dev/", "https://a.b.workers.dev/healthz"],
    ["wss://edge.example:8443/some/path?query", "https://edge.example:8443/healthz"],
    ["ws://127.0.0.1:8787/", "http://127.0.0.1:8787/healthz"],
  ])("is, for %s, %s", (edge, page) => {
    expect(healthPageOf(new URL(edge)).href).toBe(page);
  });
});
