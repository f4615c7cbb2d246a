import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { asInWrangler, deployTable, workerVars } from "../../../cli/deploy/deploy-table.ts";

describe("workerVars", () => {
  it.each([
    ["A=b", { A: "b" }],
    ["A=b,C_1=d", { A: "b", C_1: "d" }],
    ["A=b,c,D=", { A: "b,c", D: "" }],
    ["A=x=y", { A: "x=y" }],
    [["A=b,C=d"], { A: "b,C=d" }],
    [["A=b", "C=line\nline"], { A: "b", C: "line\nline" }],
    [[], {}],
  ])("takes %j", (raw, values) => {
    expect(Object.fromEntries(v.parse(workerVars, raw))).toEqual(values);
  });
});

describe("deployTable", () => {
  it.each(["off", "smart", "aws:eu-central-1", "gcp:us-east4", "azure:westeurope"])(
    "takes the placement %s",
    (placement) => expect(v.parse(deployTable.placement.schema, placement)).toBe(placement),
  );

  it.each(["edge.example.com", "a.de", "xn--bcher-kva.example"])("takes the domain %s", (domain) =>
    expect(v.parse(deployTable.domain.schema, domain)).toBe(domain),
  );
});

describe("asInWrangler()", () => {
  const shared = { schema: v.string(), value: "text", fallback: "x", help: "Words" } as const;

  it("takes the default from a setting, and says whose it is", () => {
    const setting = asInWrangler(shared);
    expect(setting).not.toHaveProperty("fallback");
    expect(setting.schema).toBe(shared.schema);
    expect(setting.help).toBe("Words (default: as in wrangler.toml)");
    expect(asInWrangler(shared, "Other words").help).toMatch(/^Other words \(/);
  });
});
