import { describe, expect, it } from "vitest";
import { keysOf, withUpstreams } from "../../../cli/deploy/worker-keys.ts";
import { loadSettings } from "../../../cli/settings.ts";
import { tables } from "../../../cli/tables.ts";
import { ConfigError } from "../../../protocol/errors.ts";

const SECRET = "a secret long enough";
const NOW = Date.parse("2026-11-01");
const plan = { keyId: "default", variables: {}, hasStoredKeys: false };

const keys = (values: Readonly<Record<string, unknown>>, changes: Partial<typeof plan> = {}) => {
  const settings = loadSettings(tables.deploy, [{ values, nameOf: (key) => key }]);
  return keysOf(settings, { ...plan, ...changes }, NOW);
};

const ann = { id: "ann", secret: "the secret of ann, long" };
const bob = { id: "bob", secret: "the secret of bob, long" };
const late = { id: "late", secret: "the secret of one who left", expires: "2026-10-31" };

describe("keysOf()", () => {
  it("puts the one secret, and takes away what several keys have left", () => {
    expect(keys({ secret: SECRET }, { keyId: "mine" })).toEqual({
      secrets: { EDGESOCKS_SECRET: SECRET, EDGESOCKS_KEYS: null },
      own: { id: "mine", secret: SECRET },
      good: [{ id: "mine", secret: SECRET }],
      hidden: [SECRET],
    });
  });

  it("puts several keys, and takes away the one secret", () => {
    const { secrets, own, good } = keys({ keys: [late, ann, bob] });
    expect(secrets["EDGESOCKS_SECRET"]).toBeNull();
    expect(JSON.parse(secrets["EDGESOCKS_KEYS"] ?? "")).toEqual([late, ann, bob]);
    expect(own).toEqual(ann);
    expect(good).toEqual([ann, bob]);
  });

  it("gets in by the key that is named", () => {
    expect(keys({ keys: [ann, bob], "key-id": "bob" }).own).toEqual(bob);
  });

  it("puts nothing where a KV namespace has the keys, but needs one to get in", () => {
    const stored = { hasStoredKeys: true };
    expect(keys({ secret: SECRET }, stored)).toMatchObject({
      secrets: {},
      own: { secret: SECRET },
    });
    expect(() => keys({}, stored)).toThrow(/without a secret/);
  });

  it("needs no secret in a dry run, but checks one that is there", () => {
    expect(keys({ "dry-run": true })).toEqual({
      secrets: {},
      own: undefined,
      good: [],
      hidden: [],
    });
    expect(() => keys({ "dry-run": true, secret: "hunter2" })).toThrow(ConfigError);
  });

  it("hides a secret as it stands in JSON, once and twice", () => {
    const secret = 'a "quoted" and long secret';
    const { hidden } = keys({ keys: [{ id: "ann", secret }] });
    const said = JSON.stringify({ EDGESOCKS_KEYS: JSON.stringify([{ secret }]) });
    const blanked = hidden.reduce((text, form) => text.replaceAll(form, "***"), said);
    expect(blanked).not.toContain("quoted");
    expect(hidden).toContain(secret);
  });

  it.each([
    ["nothing", {}, {}, "without a secret"],
    ["a short secret", { secret: "hunter2" }, {}, "16 characters"],
    [
      "a key id of wrangler.toml",
      { secret: SECRET },
      { keyId: "a b", variables: { EDGESOCKS_KEY_ID: "a b" } },
      "1 to 32",
    ],
    ["keys and a secret", { keys: [ann], secret: SECRET }, {}, "along with a secret"],
    ["keys and KV", { keys: [ann] }, { hasStoredKeys: true }, "along with the KV namespace"],
    [
      "a key that is not there",
      { keys: [ann], "key-id": "bob" },
      {},
      "the key bob is not among keys",
    ],
    ["a key that has expired", { keys: [late], "key-id": "late" }, {}, "the key late has expired"],
    ["keys that have expired", { keys: [late] }, {}, "every key has expired"],
    [
      "limits that a stateless Worker cannot count",
      { keys: [{ ...ann, "streams-per-minute": 5 }] },
      { variables: { BRIDGE: "stateless" } },
      'need BRIDGE = "durable"',
    ],
  ])("refuses %s", (_what, values, changes, reason) => {
    expect(() => keys(values, changes)).toThrow(ConfigError);
    expect(() => keys(values, changes)).toThrow(reason);
    expect(() => keys(values, changes)).not.toThrow(/hunter2|the secret of/);
  });
});

describe("withUpstreams()", () => {
  const url = "socks5://ann:her-password@proxy.example:1080";

  it("puts the upstreams as a secret, along with the keys, and hides their URLs", () => {
    const upstreams = [{ url, mode: "always" as const }];
    const { secrets, hidden } = withUpstreams(keys({ secret: SECRET }), upstreams);
    expect(secrets).toEqual({
      EDGESOCKS_SECRET: SECRET,
      EDGESOCKS_KEYS: null,
      UPSTREAMS: JSON.stringify(upstreams),
    });
    expect(hidden).toEqual(expect.arrayContaining([SECRET, url]));
  });

  it("puts them where a KV namespace has the keys", () => {
    const stored = keys({ secret: SECRET }, { hasStoredKeys: true });
    expect(Object.keys(withUpstreams(stored, [{ url }]).secrets)).toEqual(["UPSTREAMS"]);
  });

  it("leaves those that are there when the settings say nothing of them", () => {
    const { secrets } = withUpstreams(keys({ secret: SECRET }), undefined);
    expect(secrets).not.toHaveProperty("UPSTREAMS");
  });
});
