import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { byteCount } from "../../../edge-worker/users/byte-count.ts";

describe("byteCount", () => {
  it.each([
    [1, 1],
    [1_500_000, 1_500_000],
    ["1500000", 1_500_000],
    ["500 kB", 500_000],
    ["1.5 MB", 1_500_000],
    ["20GB", 20_000_000_000],
    ["1 TB", 1_000_000_000_000],
    ["7 B", 7],
  ])("reads %j as %d", (text, bytes) => expect(v.parse(byteCount, text)).toBe(bytes));

  it.each([0, -1, 1.5e300, "", "x", "5 XB", "0.0001 kB", "1e6", "5 MiB", "5 M", true, null])(
    "refuses %j",
    (value) => {
      const result = v.safeParse(byteCount, value);
      expect(result.issues?.[0].message).toContain("expected a number of bytes");
    },
  );
});
