import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type DryRun, formatDryRun, MAX_BUNDLE } from "../../../cli/deploy/dry-run-report.ts";

const MIB = 1024 * 1024;

const dryRun: DryRun = {
  plan: {
    name: "some-edge",
    compatibilityDate: "2026-10-01",
    keyId: "default",
    bridge: "durable",
    hasStoredKeys: false,
    variables: { BRIDGE: "durable", LOCATION_HINT: "weur" },
    config: { workers_dev: true },
  },
  bundle: Buffer.from("export default {};"),
  secrets: ["EDGESOCKS_SECRET"],
  newestDate: "2026-10-23",
  healthTimeoutMs: 90_000,
};

/** The text behind the title of a row; "" where there is none. */
function row(title: string, changes: Partial<DryRun> = {}): string {
  const text = formatDryRun({ ...dryRun, ...changes });
  return new RegExp(`^ {2}${title} +(.*)$`, "m").exec(text)?.[1] ?? "";
}

const withConfig = (config: DryRun["plan"]["config"]): Partial<DryRun> => ({
  plan: { ...dryRun.plan, config },
});

describe("formatDryRun()", () => {
  it("says what would be put up", () => {
    expect(row("Worker")).toBe("some-edge");
    expect(row("bridge")).toBe("durable");
    expect(row("compatibility date")).toBe("2026-10-01 (workerd: 2026-10-23)");
    expect(row("reached at")).toBe("https://some-edge.<your-subdomain>.workers.dev");
    const text = formatDryRun(dryRun);
    expect(text).toContain('BRIDGE = "durable"');
    expect(text).toContain('LOCATION_HINT = "weur"');
    expect(text).toContain("at most 90 s");
  });

  it("names routes and placement", () => {
    const config = {
      workers_dev: false,
      routes: [{ pattern: "edge.example.com", custom_domain: true }],
      placement: { region: "aws:eu-central-1" },
    };
    expect(row("reached at", withConfig(config))).toBe("its routes");
    expect(row("route", withConfig(config))).toContain("edge.example.com");
    expect(row("placement", withConfig(config))).toContain("aws:eu-central-1");
  });

  it("says that a secret is missing", () => {
    expect(row("secret")).toBe("EDGESOCKS_SECRET");
    expect(row("secret", { secrets: [] })).toContain("none yet");
  });

  it("says that there is no workerd to compare the date with", () => {
    expect(row("compatibility date", { newestDate: undefined })).toContain("no workerd");
  });

  it("holds the size against the limits, with and without compression", () => {
    expect(row("bundle")).toContain("within 64 MiB");
    expect(row("bundle")).toContain("within 3 MB for Free and within 10 MB for Paid");
    // Random bytes do not get smaller by gzip.
    const four = row("bundle", { bundle: randomBytes(4 * MIB) });
    expect(four).toContain("above 3 MB for Free and within 10 MB for Paid");
    const huge = row("bundle", { bundle: new Uint8Array(MAX_BUNDLE + 1) });
    expect(huge).toContain("more than the 64 MiB of any plan");
  });
});
