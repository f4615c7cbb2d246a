import { describe, expect, it } from "vitest";
import { parseAccess } from "../../../edge-worker/users/access.ts";
import { ConfigError } from "../../../protocol/errors.ts";

const key = { id: "ann", secret: "the secret of ann" };

describe("parseAccess()", () => {
  it("reads keys and rules", () => {
    const access = parseAccess({ keys: [key], rules: [{ action: "deny" }] });
    expect(access).toMatchObject({ users: [{ id: "ann" }], rules: [{ action: "deny" }] });
  });

  it.each<[unknown, string]>([
    [{ keys: [{ ...key, secret: "short-1" }], rules: [] }, "keys[0].secret: expected at least 16"],
    [
      { keys: [key], rules: [{ action: "deny", ports: [1, 0] }] },
      "rules[0].ports[1]: expected a port",
    ],
    [{ keys: [{ ...key, hue: 1 }], rules: [] }, "keys[0].hue: it is unknown"],
    [{ keys: undefined, rules: [] }, "keys: expected a list of keys"],
    [
      { keys: [{ ...key, rules: [{ action: "x" }] }], rules: [] },
      "keys[0].rules[0].action: expected",
    ],
  ])("says what is wrong, where, and no secret", (entries, words) => {
    const reading = (): unknown => parseAccess(entries);
    expect(reading).toThrow(ConfigError);
    expect(reading).toThrow(`Cannot use ${words}`);
    expect(reading).not.toThrow("short-1");
  });
});
