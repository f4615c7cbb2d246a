import * as v from "valibot";
import { describe, expect, it } from "vitest";
import {
  filePlaceIn,
  loadSettings,
  type SettingsTable,
  type Source,
  variableOf,
} from "../../cli/settings.ts";
import { seconds } from "../../cli/setting-types.ts";
import { ConfigError } from "../../protocol/errors.ts";

const table = {
  "wait-time": { schema: seconds(1, 60), fallback: 5, value: "seconds", help: "Seconds" },
  colour: { schema: v.picklist(["red", "blue"], "expected red or blue"), help: "Colour" },
  secret: {
    schema: v.pipe(v.string(), v.minLength(8, "too short")),
    isSecret: true,
    help: "Secret",
  },
} as const satisfies SettingsTable;

const source = (name: string, values: Source["values"]): Source => ({
  values,
  nameOf: (key) => `${name} ${key}`,
});

function messageFor(...sources: readonly Source[]): string {
  try {
    loadSettings(table, sources);
    return "no error";
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error instanceof ConfigError ? error.message : "";
  }
}

describe("filePlaceIn()", () => {
  it("names the place of what counts, when that is a file", () => {
    const file: Source = { ...source("key", { colour: "red", secret: "x" }), isFile: true };
    const placeOf = filePlaceIn([source("variable", { colour: "blue" }), file]);
    expect([placeOf("secret"), placeOf("colour"), placeOf("wait-time")]).toEqual([
      "key secret",
      undefined,
      undefined,
    ]);
  });
});

describe("loadSettings()", () => {
  it("takes each value from the first source that has it", () => {
    const first = source("flag", { colour: "red" });
    const second = source("variable", { colour: "blue", "wait-time": "2" });
    const third = source("key", { colour: "blue", "wait-time": 3, secret: "long enough" });
    expect(loadSettings(table, [first, second, third])).toEqual({
      colour: "red",
      "wait-time": 2000,
      secret: "long enough",
    });
  });

  it("passes over an undefined value, but not over an empty or false one", () => {
    const first = source("flag", { colour: undefined });
    const second = source("variable", { colour: "blue" });
    expect(loadSettings(table, [first, second]).colour).toBe("blue");
    expect(messageFor(source("flag", { colour: "" }), second)).toMatch(/^Cannot use "" for flag/);
    expect(messageFor(source("flag", { colour: false }), second)).toMatch(/^Cannot use false/);
  });

  it("parses a default like any other value, and leaves out what has none", () => {
    expect(loadSettings(table, [])).toEqual({ "wait-time": 5000 });
  });

  it("names the value, the place and the reason in one line", () => {
    expect(messageFor(source("--", { colour: "green\nblue" }))).toBe(
      String.raw`Cannot use "green\nblue" for -- colour: expected red or blue`,
    );
  });

  it("names the source that won, not one that it beat", () => {
    const text = messageFor(source("flag", { colour: "x" }), source("variable", { colour: "y" }));
    expect(text).toContain("flag colour");
  });

  it("never shows a secret", () => {
    const text = messageFor(source("variable", { secret: "hunter2" }));
    expect(text).toBe("Cannot use a secret for variable secret: too short");
    expect(messageFor(source("key", { secret: ["hunter2"] }))).not.toContain("hunter2");
  });

  it.each([
    ["a table", { a: 1 }, '{"a":1}'],
    ["a list", ["red"], '["red"]'],
    ["a number", 5, "5"],
  ])("shows %s as it was written", (_what, value, shown) => {
    expect(messageFor(source("key", { colour: value }))).toContain(`Cannot use ${shown} for`);
  });

  it("does not show infinity, which TOML can write, as null", () => {
    expect(messageFor(source("key", { "wait-time": Infinity }))).not.toContain("null");
  });
});

describe("variableOf()", () => {
  it.each([
    ["listen", "EDGESOCKS_LISTEN"],
    ["handshake-timeout", "EDGESOCKS_HANDSHAKE_TIMEOUT"],
    ["tls-cert", "EDGESOCKS_TLS_CERT"],
  ])("makes the variable of %s", (key, variable) => expect(variableOf(key)).toBe(variable));
});
