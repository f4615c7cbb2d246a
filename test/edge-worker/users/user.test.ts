import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { usersSchema } from "../../../edge-worker/users/user.ts";

const ann = { id: "ann", secret: "the secret of ann" };

describe("usersSchema", () => {
  it("reads a key that has nothing but a secret", () => {
    const [user] = v.parse(usersSchema, [ann]);
    expect(user).toMatchObject({ ...ann, expiresAt: Infinity, rules: [] });
    expect(Object.values(user?.limits ?? {})).toEqual([undefined, undefined, undefined, undefined]);
  });

  it("reads limits, rules and an end", () => {
    const entry = {
      ...ann,
      expires: "2027-01-31T12:00:00Z",
      streams: 10,
      "streams-per-minute": 60,
      "bytes-per-day": "20 GB",
      "bytes-per-second": 1000,
      rules: [{ action: "deny", to: ["example.com"] }],
    } as const;
    const [user] = v.parse(usersSchema, [structuredClone(entry)]);
    expect(user?.limits).toEqual({
      streams: 10,
      streamsPerMinute: 60,
      bytesPerDay: 20e9,
      bytesPerSecond: 1000,
    });
    expect(user?.expiresAt).toBe(Date.UTC(2027, 0, 31, 12));
    expect(user?.rules).toHaveLength(1);
  });

  it("takes the date of a TOML file and the text that JSON makes of it", () => {
    const expires = new Date("2027-01-31T00:00:00Z");
    const text = JSON.stringify([{ ...ann, expires }]);
    expect(v.parse(usersSchema, [{ ...ann, expires }])).toEqual(
      v.parse(usersSchema, JSON.parse(text)),
    );
  });

  it.each<[string, unknown, string]>([
    ["no list", ann, "expected a list of keys"],
    ["no key", [], "expected at least one key"],
    ["an id twice", [ann, ann], "expected every id once"],
    ["a bad id", [{ ...ann, id: "a b" }], "expected 1 to 32"],
    ["a short secret", [{ ...ann, secret: "short" }], "expected at least 16 characters"],
    ["a bad date", [{ ...ann, expires: "soon" }], "expected a date"],
    ["no stream at all", [{ ...ann, streams: 0 }], "expected at least 1"],
    ["half a stream", [{ ...ann, streams: 0.5 }], "expected a whole number"],
    ["an unknown key", [{ ...ann, "bytes-per-hour": 5 }], "bytes-per-hour"],
  ])("refuses %s", (_what, entries, words) => {
    const { issues } = v.safeParse(usersSchema, entries);
    expect(
      JSON.stringify(
        issues?.map(({ message, expected, received }) => [message, expected, received]),
      ),
    ).toContain(words);
  });
});
