import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type DeploySettings,
  planWorker,
  readTemplate,
  type Template,
  type WorkerPlan,
} from "../../../cli/deploy/worker-plan.ts";
import { loadSettings } from "../../../cli/settings.ts";
import { tables } from "../../../cli/tables.ts";
import { ConfigError } from "../../../protocol/errors.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const own = readTemplate(undefined);

const settingsOf = (values: Readonly<Record<string, unknown>>): DeploySettings =>
  loadSettings(tables.deploy, [{ values, nameOf: (key) => key }]);

/** The plan for some settings, and some changes of our wrangler.toml. */
function plan(values: Readonly<Record<string, unknown>> = {}, changes: object = {}): WorkerPlan {
  const template: Template = { file: "some.toml", values: { ...own.values, ...changes } };
  return planWorker(template, settingsOf(values));
}

function messageFor(values: Readonly<Record<string, unknown>>, changes: object = {}): string {
  try {
    plan(values, changes);
    return "no error";
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error instanceof ConfigError ? error.message : "";
  }
}

describe("readTemplate()", () => {
  it("reads the wrangler.toml of this package, or another", () => {
    expect(own.file).toMatch(/wrangler\.toml$/);
    const file = join(tempFolder({ "other.toml": 'name = "other"\n' }), "other.toml");
    expect(readTemplate(file)).toEqual({ file, values: { name: "other" } });
  });

  it("names a file that it cannot read", () => {
    expect(() => readTemplate("/nonexistent/some.toml")).toThrow(/^Cannot read \/nonexistent/);
    const broken = join(tempFolder({ "broken.toml": "name =\n" }), "broken.toml");
    expect(() => readTemplate(broken)).toThrow(/broken\.toml, line 1/);
  });
});

describe("planWorker()", () => {
  it("leaves our wrangler.toml as it is without settings, but for the code", () => {
    const { config, ...rest } = plan();
    expect(config).toEqual({ ...own.values, main: "worker.js", routes: [], kv_namespaces: [] });
    expect(rest).toEqual({
      name: "edgesocks",
      compatibilityDate: own.values["compatibility_date"],
      keyId: "default",
      bridge: "durable",
      hasStoredKeys: false,
      variables: { BRIDGE: "durable" },
    });
  });

  it("gives each setting to the variable of the Worker", () => {
    const { variables } = plan({
      bridge: "durable",
      rules: [{ action: "deny", ports: [22] }],
      "key-id": "mine",
      "location-hint": "weur",
      "allow-private": true,
      "connect-timeout": 2.5,
      "worker-vars": ["DNS_URL=https://dns.example/dns-query"],
    });
    expect(variables).toEqual({
      BRIDGE: "durable",
      EDGESOCKS_KEY_ID: "mine",
      RULES: '[{"action":"deny","ports":[22]}]',
      LOCATION_HINT: "weur",
      ALLOW_PRIVATE: "true",
      CONNECT_TIMEOUT_MS: "2500",
      DNS_URL: "https://dns.example/dns-query",
    });
  });

  it("lets a setting win over worker-vars, and these over wrangler.toml", () => {
    const vars = { vars: { BRIDGE: "stateless", EDGESOCKS_KEY_ID: "file", ALLOW_PRIVATE: "true" } };
    const values = {
      "worker-vars": ["EDGESOCKS_KEY_ID=list", "ALLOW_PRIVATE=true"],
      "allow-private": false,
    };
    const { variables, bridge, keyId } = plan(values, vars);
    expect(variables).toEqual({
      BRIDGE: "stateless",
      EDGESOCKS_KEY_ID: "list",
      ALLOW_PRIVATE: "false",
    });
    expect({ bridge, keyId }).toEqual({ bridge: "stateless", keyId: "list" });
  });

  it("tells wrangler of name, account, domain and placement", () => {
    const { config, name } = plan({
      name: "my-edge",
      "account-id": "0123456789abcdef0123456789abcdef",
      domain: "edge.example.com",
      "workers-dev": false,
      bridge: "stateless",
      placement: "smart",
    });
    expect(name).toBe("my-edge");
    expect(config).toMatchObject({
      name: "my-edge",
      account_id: "0123456789abcdef0123456789abcdef",
      workers_dev: false,
      routes: [{ pattern: "edge.example.com", custom_domain: true }],
      placement: { mode: "smart" },
    });
  });

  it.each([
    ["off", { mode: "off" }],
    ["aws:eu-central-1", { region: "aws:eu-central-1" }],
  ])("writes the placement %s as wrangler wants it", (placement, written) => {
    expect(plan({ bridge: "stateless", placement }).config["placement"]).toEqual(written);
  });

  it("keeps what else a wrangler.toml says, and does not write to it", () => {
    const before = readFileSync(own.file, "utf8");
    const { config } = plan(
      { domain: "b.example.com" },
      {
        observability: { enabled: true },
        routes: ["a.example.com/*"],
      },
    );
    expect(config).toMatchObject({
      observability: { enabled: true },
      routes: ["a.example.com/*", { pattern: "b.example.com", custom_domain: true }],
    });
    expect(readFileSync(own.file, "utf8")).toBe(before);
  });

  it("takes a Worker off workers.dev only where it is reached otherwise", () => {
    expect(messageFor({ "workers-dev": false })).toContain("to where nobody can reach it");
    expect(messageFor({}, { workers_dev: false })).toContain("to where nobody can reach it");
    expect(() => plan({}, { workers_dev: false, route: "a.example.com/*" })).not.toThrow();
  });

  it.each([
    [
      "location-hint of no object",
      { "location-hint": "weur", bridge: "stateless" },
      "use placement",
    ],
    ["placement of an object", { placement: "smart" }, "use location-hint"],
    ["placement of an object in a region", { placement: "aws:x" }, "use location-hint"],
  ])("refuses the %s", (_what, values, text) => {
    expect(messageFor(values)).toContain(text);
  });

  it.each([
    [["DNS_ULR=https://dns.example/"], "DNS_ULR", "Did you mean DNS_URL?"],
    [["CONNECT_TIMEOUT_MS=5"], "CONNECT_TIMEOUT_MS", "100 to 120000"],
    [["BRIDGE=both"], "BRIDGE", "durable or stateless"],
    [["EDGESOCKS_SECRET=hunter2hunter2hunter2"], "EDGESOCKS_SECRET", "it is a secret"],
  ])("refuses the variables %j in one line", (list, name, reason) => {
    const message = messageFor({ "worker-vars": list });
    expect(message).toMatch(/^Cannot use [^\n]+$/);
    expect(message).toContain(name);
    expect(message).toContain(reason);
    expect(message).not.toContain("hunter2");
  });

  it.each([
    ["name", { name: 5 }, "expected a name"],
    ["compatibility_date", { compatibility_date: "today" }, "expected a date"],
    ["compatibility_date", { compatibility_date: undefined }, "expected a date"],
    ["vars", { vars: 5 }, "expected a table"],
    ["vars.BRIDGE", { vars: { BRIDGE: 5 } }, "expected a text in quotes"],
    ["workers_dev", { workers_dev: "yes" }, "expected true or false"],
    ["routes", { routes: "a.example" }, "expected a list"],
    ["durable_objects", { durable_objects: undefined }, "BRIDGES"],
    ["durable_objects.bindings", { durable_objects: { bindings: [] } }, "BRIDGES"],
    ["env", { env: { production: {} } }, "another --name"],
  ])("refuses %s in a wrangler.toml, naming key and file", (key, changes, reason) => {
    const message = messageFor({}, changes);
    expect(message).toMatch(/^Cannot use [^\n]+$/);
    expect(message).toContain(`Cannot use ${key} in some.toml: `);
    expect(message).toContain(reason);
  });

  it("refuses a secret among the variables of wrangler.toml without showing it", () => {
    const message = messageFor({}, { vars: { EDGESOCKS_SECRET: "hunter2" } });
    expect(message).toContain("it is a secret");
    expect(message).not.toContain("hunter2");
  });
});
