import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { newestDateOf, requireKnownDate } from "../../../cli/deploy/compatibility-date.ts";
import { readTemplate } from "../../../cli/deploy/worker-plan.ts";
import { ConfigError } from "../../../protocol/errors.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const HERE = fileURLToPath(import.meta.url);

/** A program beside which a workerd of some kind is installed. */
function besideWorkerd(code: string): string {
  const folder = tempFolder({ program: "" });
  const module = join(folder, "node_modules", "workerd");
  mkdirSync(module, { recursive: true });
  writeFileSync(join(module, "index.js"), code);
  return join(folder, "program");
}

describe("newestDateOf()", () => {
  it("asks the workerd beside the first place that has one", () => {
    const lonely = join(tempFolder({ program: "" }), "program");
    const first = besideWorkerd('exports.compatibilityDate = "2031-01-02";');
    const second = besideWorkerd('exports.compatibilityDate = "2032-01-02";');
    expect(newestDateOf([lonely, first, second])).toBe("2031-01-02");
  });

  it("passes over one that cannot be loaded or says nothing, and a place that is not there", () => {
    const broken = besideWorkerd('throw new Error("not for this platform");');
    const silent = besideWorkerd("");
    expect(newestDateOf([broken, silent, "/nonexistent/program"])).toBeUndefined();
  });

  it("knows the one of this package", () => {
    expect(newestDateOf([HERE])).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  });
});

describe("requireKnownDate()", () => {
  it.each([
    ["2026-10-01", "2026-10-23", "2026-11-01"],
    ["2026-10-23", "2026-10-23", "2026-10-23"],
    ["2026-10-01", undefined, "2026-10-01"],
  ])("takes %s for workerd %s on %s", (date, newest, today) => {
    expect(() => requireKnownDate(date, newest, today)).not.toThrow();
  });

  it.each([
    ["2026-10-24", "2026-10-23", "2026-11-01", "knows none later than 2026-10-23"],
    ["2026-10-24", undefined, "2026-10-23", "it is in the future"],
    ["2026-10-24", "2026-10-25", "2026-10-23", "it is in the future"],
  ])("refuses %s for workerd %s on %s", (date, newest, today, reason) => {
    const check = () => requireKnownDate(date, newest, today);
    expect(check).toThrow(ConfigError);
    expect(check).toThrow(`Cannot use compatibility_date ${date}: `);
    expect(check).toThrow(reason);
  });
});

describe("wrangler.toml", () => {
  it("has a compatibility date that the workerd of package-lock.json knows", () => {
    const { values } = readTemplate(undefined);
    const newest = newestDateOf([HERE]);
    expect(newest).toBeDefined();
    const today = new Date().toISOString().slice(0, 10);
    expect(() =>
      requireKnownDate(String(values["compatibility_date"]), newest, today),
    ).not.toThrow();
  });
});
