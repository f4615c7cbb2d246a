import { describe, expect, it } from "vitest";
import { loadSettings, type SettingsTable, type Source } from "../../cli/settings.ts";
import { tables } from "../../cli/tables.ts";

const commands = Object.keys(tables) as (keyof typeof tables)[];

const source = (values: Source["values"]): Source => ({ values, nameOf: (key) => `--${key}` });

/** The message for one bad value of a command; "" when it is taken. */
function messageFor(command: keyof typeof tables, key: string, value: unknown): string {
  try {
    loadSettings(tables[command], [source({ [key]: value })]);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
}

describe.each(commands)("tables.%s", (command) => {
  it("has defaults that its own schemas take", () => {
    expect(() => loadSettings(tables[command], [])).not.toThrow();
  });

  it("has a help text for each setting, and a placeholder that shows in --help", () => {
    for (const [key, setting] of Object.entries(tables[command])) {
      expect(setting.help, key).toMatch(/^\S.*[^.\s]$/);
      if ("value" in setting) expect(setting.value, key).toMatch(/^[a-z]+$/);
    }
  });

  it("keeps its secrets off the command line", () => {
    for (const key of ["secret", "users"]) {
      const setting = Object.entries(tables[command]).find(([name]) => name === key)?.[1];
      if (setting) expect(setting, key).toHaveProperty("isSecret", true);
    }
  });

  it("listens on loopback unless it is told otherwise, if at all", () => {
    const { listen } = loadSettings<SettingsTable>(tables[command], []);
    if (listen === undefined) return;
    const doors = Array.isArray(listen) ? listen : [listen];
    for (const door of doors) expect(door).toHaveProperty("host", "127.0.0.1");
    expect(doors).toHaveLength(1);
  });
});

describe("tables", () => {
  it("gives a key the same schema and default in every command that has it", () => {
    const seen = new Map<string, unknown>();
    for (const command of commands) {
      for (const [key, setting] of Object.entries(tables[command])) {
        if (key === "listen" || key === "admin" || key === "runtime") continue;
        // What nobody sets there stays as wrangler.toml has it.
        if (command === "deploy" && !("fallback" in setting)) continue;
        expect(setting, key).toBe(seen.get(key) ?? setting);
        seen.set(key, setting);
      }
    }
  });

  it("checks what deploy takes as the other commands do", () => {
    for (const key of ["bridge", "allow-private", "connect-timeout", "key-id"] as const) {
      expect(tables.deploy[key].schema, key).toBe(tables.edge[key].schema);
      expect(loadSettings(tables.deploy, [])[key], key).toBeUndefined();
    }
  });

  it.each([
    ["local", "listen", "1080", "expected HOST:PORT"],
    ["local", "runtime", "deno", "expected node or workerd"],
    ["local", "handshake-timeout", "0", "expected 1 to 600 seconds"],
    ["local", "connect-timeout", "121", "expected 0.1 to 120 seconds"],
    ["local", "log-level", "loud", "debug"],
    ["local", "log-format", "xml", "json"],
    ["agent", "edge", "https://h/", "expected wss://HOST/PATH"],
    ["agent", "key-id", "a b", "expected 1 to 32 of A-Z a-z 0-9 _ -"],
    ["agent", "key-id", "", "expected 1 to 32"],
    ["agent", "secret-file", "", "expected a file name"],
    ["edge", "listen", "127.0.0.1:1,8443", "expected HOST:PORT or unix:PATH"],
    ["edge", "listen", [], "expected HOST:PORT or unix:PATH"],
    ["edge", "listen", "unix:", "expected HOST:PORT or unix:PATH"],
    ["edge", "listen-plain", `unix:/${"x".repeat(103)}`, "expected HOST:PORT or unix:PATH"],
    ["edge", "trusted-proxies", "10.0.0.1", "expected address ranges such as 10.0.0.0/8, or unix"],
    ["edge", "forwarded-headers", "via", "expected x-forwarded-for"],
    ["edge", "max-connections", "0", "expected a whole number from 1"],
    ["edge", "max-connections-per-address", 1.5, "expected a whole number from 1"],
    ["edge", "admin", "unix:/x", "expected HOST:PORT"],
    ["edge", "drain-timeout", "301", "expected 0 to 300 seconds"],
    ["edge", "tls-cert", "", "expected a file name"],
    ["edge", "tls-key", 5, "expected a file name"],
    ["edge", "allow-private", "yes", "expected true or false"],
    ["edge", "bridge", "none", "expected durable or stateless"],
    ["edge", "secret", 5, "expected a text"],
    ["deploy", "name", "Under_score", "expected 1 to 63 of a-z 0-9 -"],
    ["deploy", "name", "-a", "expected 1 to 63"],
    ["deploy", "name", "a".repeat(64), "expected 1 to 63"],
    ["deploy", "account-id", "me", "expected 32 hexadecimal digits"],
    ["deploy", "location-hint", "mars", "expected one of wnam enam"],
    ["deploy", "placement", "moon", "expected off, smart, or a region"],
    ["deploy", "placement", "aws:", "expected off, smart, or a region"],
    ["deploy", "domain", "https://edge.example.com", "expected a domain"],
    ["deploy", "domain", "localhost", "expected a domain"],
    ["deploy", "workers-dev", "no", "expected true or false"],
    ["deploy", "worker-vars", "DNS_URL", "expected NAME=VALUE"],
    ["deploy", "worker-vars", "lower=x", "expected NAME=VALUE"],
    ["deploy", "worker-vars", ["A=1", "A=2"], "expected NAME=VALUE"],
    ["deploy", "wrangler-config", "", "expected a file name"],
    ["deploy", "worker-url", "edge.example", "expected wss://HOST/PATH"],
    ["deploy", "health-timeout", "0", "expected 1 to 900 seconds"],
    ["init", "key-id", "a b", "expected 1 to 32"],
    ["init", "edge", "https://h/", "expected wss://HOST/PATH"],
  ] as const)("refuses %s --%s %j in one line", (command, key, value, reason) => {
    const message = messageFor(command, key, value);
    expect(message).toContain(`for --${key}: `);
    expect(message).toContain(reason);
    expect(message).not.toContain("\n");
  });

  it("refuses a private network to be reached, unless told", () => {
    expect(loadSettings(tables.edge, [])["allow-private"]).toBe(false);
  });
});
