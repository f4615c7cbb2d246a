import { describe, expect, it } from "vitest";
import type { Access } from "../../../edge-worker/users/access.ts";
import type { Log } from "../../../protocol/log.ts";
import { recordedLog } from "../../support/log.ts";

interface Settings {
  readonly access: Access;
}

// By a path that the compiler does not see: the types of Workers do not go along with those of Node.
const path = "../../../edge-worker/cloudflare/worker-env.ts";
const { readSettings } = (await import(path)) as {
  readSettings: (env: object, log: Log) => Promise<Settings | undefined>;
};

const secret = "a secret long enough";
const keys = [{ id: "ann", secret: "the secret of ann" }];

/** What the Worker makes of its variables, and the lines it logs about them. */
async function read(variables: Readonly<Record<string, unknown>>) {
  const log = recordedLog();
  const settings = await readSettings(variables, log);
  return { settings, lines: log.lines };
}

/** A KV namespace with one entry. */
const namespaceOf = (value: unknown) => ({
  get: async (key: string, options: object) => {
    expect(options).toMatchObject({ type: "json" });
    return key === "keys" ? value : null;
  },
});

describe("readSettings()", () => {
  it("needs no more than a secret", async () => {
    const { settings, lines } = await read({ EDGESOCKS_SECRET: secret });
    expect(lines).toEqual([]);
    expect(settings).toMatchObject({
      access: { users: [{ id: "default", secret }], rules: [] },
      bridge: "durable",
      allowPrivate: false,
      connectTimeoutMs: 15_000,
      maxDials: 5,
      hasIpv6: true,
    });
  });

  it("takes the bound of dials, and that there is no IPv6", async () => {
    const variables = { EDGESOCKS_SECRET: secret, MAX_DIALS: "512", HAS_IPV6: "false" };
    expect((await read(variables)).settings).toMatchObject({ maxDials: 512, hasIpv6: false });
  });

  it("takes several keys from a secret, and rules from a variable", async () => {
    const rules = JSON.stringify([{ action: "deny", to: ["example.com"] }]);
    const { settings } = await read({ EDGESOCKS_KEYS: JSON.stringify(keys), RULES: rules });
    expect(settings?.access).toMatchObject({ users: keys, rules: [{ action: "deny" }] });
  });

  it("takes the keys from a KV namespace", async () => {
    const { settings } = await read({ KEYS: namespaceOf(keys) });
    expect(settings?.access.users).toMatchObject(keys);
  });

  it("takes the keys from its runner, and knows by that in whose process it is", async () => {
    const RUNNER = { fetch: async () => Response.json({ keys }) };
    const { settings } = await read({ RUNNER });
    expect(settings).toMatchObject({ access: { users: keys }, isOwnProcess: true });
    expect((await read({ EDGESOCKS_SECRET: secret })).settings).toMatchObject({
      isOwnProcess: false,
    });
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["no key at all", {}, /exactly one of the secret EDGESOCKS_SECRET/],
    ["two places with keys", { EDGESOCKS_SECRET: secret, KEYS: namespaceOf(keys) }, /exactly one/],
    ["an empty namespace", { KEYS: namespaceOf(null) }, /keys: expected a list/],
    ["a short secret", { EDGESOCKS_SECRET: "short-1" }, /keys\[0\]\.secret: expected at least 16/],
    ["keys that are no JSON", { EDGESOCKS_KEYS: "ann" }, /EDGESOCKS_KEYS: expected JSON/],
    ["a bad rule", { EDGESOCKS_SECRET: secret, RULES: '[{"action":"x"}]' }, /rules\[0\]\.action/],
    ["no dial at all", { EDGESOCKS_SECRET: secret, MAX_DIALS: "0" }, /MAX_DIALS/],
    ["half a dial", { EDGESOCKS_SECRET: secret, MAX_DIALS: "1.5" }, /MAX_DIALS/],
    ["no dial in words", { EDGESOCKS_SECRET: secret, MAX_DIALS: "many" }, /MAX_DIALS/],
    ["a doubt of IPv6", { EDGESOCKS_SECRET: secret, HAS_IPV6: "maybe" }, /HAS_IPV6/],
    ["an unknown bridge", { EDGESOCKS_SECRET: secret, BRIDGE: "x" }, /BRIDGE/],
    [
      "a limit that needs an object",
      { EDGESOCKS_KEYS: JSON.stringify([{ ...keys[0], "bytes-per-day": 5 }]), BRIDGE: "stateless" },
      /key ann: they need BRIDGE = "durable"/,
    ],
  ])("refuses %s in one line, and shows no secret", async (_what, variables, words) => {
    const { settings, lines } = await read(variables);
    expect(settings).toBeUndefined();
    expect(lines).toEqual([expect.stringMatching(words)]);
    expect(lines.join()).not.toMatch(/short-1|the secret of ann/);
  });
});
