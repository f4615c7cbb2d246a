import { describe, expect, it } from "vitest";
import type { Password } from "../../client-agent/node/hash-passwords.ts";
import { warnOfPasswords } from "../../cli/warn-of-passwords.ts";
import { plainHash } from "../support/plain-users.ts";
import { recordedLog } from "../support/log.ts";

const users = new Map<string, Password>([
  ["ann", "her-password"],
  ["bob", plainHash("his-password")],
  ["a\nb", "another"],
]);

describe("warnOfPasswords()", () => {
  it("names whose password stands in the file, and the command, but no password", () => {
    const log = recordedLog();
    warnOfPasswords(users, '"users" in edgesocks.toml', log);
    const advice = "put the line there that `edgesocks hash-password` makes of it";
    expect(log.lines).toEqual([
      `warn The password of "ann" stands as it is in "users" in edgesocks.toml: ${advice}`,
      `warn The password of "a\\nb" stands as it is in "users" in edgesocks.toml: ${advice}`,
    ]);
  });

  it("says nothing of what comes from elsewhere", () => {
    const log = recordedLog();
    warnOfPasswords(users, undefined, log);
    expect(log.lines).toEqual([]);
  });
});
