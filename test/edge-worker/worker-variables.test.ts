import { describe, expect, it } from "vitest";
import {
  accessOfWorker,
  locationHints,
  parseWorkerVariables,
  turnOfWorker,
  workerSecrets,
  workerVariables,
} from "../../edge-worker/worker-variables.ts";
import { ConfigError } from "../../protocol/errors.ts";

const SECRET = "a secret long enough";

function messageFor(env: unknown): string {
  try {
    parseWorkerVariables(env);
    return "no error";
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error instanceof ConfigError ? error.message : "";
  }
}

describe("parseWorkerVariables()", () => {
  it("has a default for all but the secret", () => {
    expect(parseWorkerVariables({ EDGESOCKS_SECRET: SECRET })).toEqual({
      EDGESOCKS_SECRET: SECRET,
      EDGESOCKS_KEY_ID: "default",
      RULES: [],
      UPSTREAMS: [],
      REACHES_CLOUDFLARE: false,
      BRIDGE: "durable",
      ALLOW_PRIVATE: false,
      CONNECT_TIMEOUT_MS: 15_000,
      MAX_DIALS: 5,
      HAS_IPV6: true,
      MAX_OPENS: 40,
      MAX_AGE_S: 0,
      MAX_MIB: 0,
      RESUME_WINDOW_S: 60,
      RESUME_MEMORY_MIB: 32,
      DNS_URL: ["https://cloudflare-dns.com/dns-query"],
      UDP: "dns",
      UDP_IDLE_TIMEOUT_MS: 60_000,
    });
  });

  it("passes over bindings that are no variables", () => {
    expect(() => parseWorkerVariables({ EDGESOCKS_SECRET: SECRET, BRIDGES: {} })).not.toThrow();
  });

  it.each(Object.keys(locationHints))("takes the location hint %s", (hint) => {
    const parsed = parseWorkerVariables({ EDGESOCKS_SECRET: SECRET, LOCATION_HINT: hint });
    expect(parsed.LOCATION_HINT).toBe(hint);
  });

  it.each([
    ["BRIDGE", "both", "durable or stateless"],
    ["LOCATION_HINT", "mars", "expected one of wnam"],
    ["LOCATION_HINT", "", "expected one of wnam"],
    ["ALLOW_PRIVATE", "yes", "true or false"],
    ["ALLOW_PRIVATE", true, "true or false"],
    ["MAX_DIALS", "0", "1 to 65535"],
    ["MAX_DIALS", "65536", "1 to 65535"],
    ["MAX_DIALS", "1.5", "1 to 65535"],
    ["HAS_IPV6", "maybe", "true or false"],
    ["CONNECT_TIMEOUT_MS", "99", "100 to 120000"],
    ["CONNECT_TIMEOUT_MS", "120001", "100 to 120000"],
    ["CONNECT_TIMEOUT_MS", "", "100 to 120000"],
    ["CONNECT_TIMEOUT_MS", "1e3", "100 to 120000"],
    ["CONNECT_TIMEOUT_MS", 15_000, "100 to 120000"],
    ["DNS_URL", "cloudflare", "expected a URL"],
    ["DNS_URL", "https://a.example/ cloudflare", "expected a URL"],
    ["DNS_URL", "", "expected a URL"],
    ["CLOUDFLARE_DNS_URL", "off", "expected a URL"],
    ["UDP", "native", "dns, turn or off"],
    ["UDP_IDLE_TIMEOUT_MS", "999", "1000 to 3600000"],
    ["TURN_URL", "https://turn.example", "expected turn:"],
    ["TURN_URL", "turn:turn.example?transport=udp", "expected turn:"],
    ["TURN_USERNAME", "", "1 to 169 characters"],
    ["TURN_PASSWORD", "x".repeat(170), "1 to 169 characters"],
    ["EDGESOCKS_KEYS", "[{", "expected JSON"],
    ["RULES", "deny *", "expected JSON"],
    ["RULES", [], "expected JSON"],
    ["EDGESOCKS_KEY_ID", 5, "expected a text"],
  ])("refuses %s = %j, naming it", (name, value, reason) => {
    const message = messageFor({ EDGESOCKS_SECRET: SECRET, [name]: value });
    expect(message).toMatch(new RegExp(`^Cannot use ${name}: `));
    expect(message).toContain(reason);
  });

  it("reads upstreams, and shows nothing of those that it refuses", () => {
    const url = "socks5://ann:hunter2@proxy.example:1080";
    const read = (upstream: object): string =>
      messageFor({ EDGESOCKS_SECRET: SECRET, UPSTREAMS: JSON.stringify([upstream]) });
    expect(read({ url })).toBe("no error");
    expect(read({ url, mode: "never" })).toBe(
      "Cannot use UPSTREAMS.0.mode: expected always or fallback",
    );
    expect(read({ url: `${url}/path` })).toMatch(/^Cannot use UPSTREAMS\.0\.url: expected/);
    expect(read({ url: `${url}/path` })).not.toContain("hunter2");
  });

  it("shows no value, as it may be a secret in the wrong place", () => {
    expect(messageFor({ EDGESOCKS_SECRET: SECRET, BRIDGE: "hunter2" })).not.toContain("hunter2");
    expect(messageFor({ EDGESOCKS_SECRET: ["hunter2"] })).not.toContain("hunter2");
  });
});

describe("turnOfWorker()", () => {
  const env = {
    EDGESOCKS_SECRET: SECRET,
    UDP: "turn",
    TURN_URL: "turns:turn.example",
    TURN_USERNAME: "ann",
    TURN_PASSWORD: "hunter2",
  };
  const turn = (variables: object) => turnOfWorker(parseWorkerVariables(variables));

  it("is the server of the mode turn, and of no other", () => {
    expect(turn(env)).toMatchObject({
      url: { server: { host: "turn.example", port: 5349 }, isSecure: true },
      username: "ann",
      password: "hunter2",
    });
    expect(turn({ ...env, UDP: "dns" })).toBeUndefined();
    expect(turn({ EDGESOCKS_SECRET: SECRET })).toBeUndefined();
  });

  it.each(["TURN_URL", "TURN_USERNAME", "TURN_PASSWORD"])("misses %s", (name) => {
    const looking = (): unknown => turn({ ...env, [name]: undefined });
    expect(looking).toThrow(ConfigError);
    expect(looking).toThrow(/^Cannot use UDP = turn: /);
    expect(looking).not.toThrow(/hunter2/);
  });
});

describe("workerSecrets", () => {
  it("are names that the Worker reads", () => {
    expect(Object.keys(workerVariables.entries)).toEqual(
      expect.arrayContaining([...workerSecrets]),
    );
  });
});

describe("accessOfWorker()", () => {
  const keys = [{ id: "ann", secret: SECRET, "bytes-per-day": 1000 }];
  const access = (env: object, stored?: { keys: unknown }) =>
    accessOfWorker(parseWorkerVariables(env), stored);
  const idsOf = ({ users }: { users: readonly { id: string }[] }) => users.map(({ id }) => id);

  it("takes the keys from the one place that has them", () => {
    const named = { EDGESOCKS_SECRET: SECRET, EDGESOCKS_KEY_ID: "mine" };
    expect(idsOf(access(named))).toEqual(["mine"]);
    expect(idsOf(access({ EDGESOCKS_KEYS: JSON.stringify(keys) }))).toEqual(["ann"]);
    expect(idsOf(access({}, { keys }))).toEqual(["ann"]);
  });

  it("refuses no place, and more than one", () => {
    const both = { EDGESOCKS_SECRET: SECRET, EDGESOCKS_KEYS: JSON.stringify(keys) };
    for (const refused of [() => access({}), () => access(both), () => access(both, { keys })]) {
      expect(refused).toThrow(ConfigError);
      expect(refused).toThrow(/^Cannot find the keys: /);
    }
  });

  it("refuses keys that cannot be used, and shows no secret", () => {
    expect(() => access({ EDGESOCKS_SECRET: "hunter2" })).toThrow(ConfigError);
    expect(() => access({ EDGESOCKS_SECRET: "hunter2" })).not.toThrow(/hunter2/);
    expect(() => access({}, { keys: null })).toThrow(ConfigError);
  });

  it("refuses limits that a stateless Worker cannot count", () => {
    const env = { EDGESOCKS_KEYS: JSON.stringify(keys), BRIDGE: "stateless" };
    expect(() => access(env)).toThrow(/need BRIDGE = "durable"/);
  });
});
