import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadSettings } from "../../cli/settings.ts";
import { environmentSource, fileSource, flagSource, readText } from "../../cli/sources.ts";
import { tables } from "../../cli/tables.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { tempFolder } from "../support/temp-folder.ts";

const configFile = (text: string): string => join(tempFolder({ "some.toml": text }), "some.toml");

/** The message of the ConfigError that is thrown: one line, or the test fails. */
function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const { message } = error as ConfigError;
    expect(message).not.toContain("\n");
    return message;
  }
  throw new Error("Nothing was thrown");
}

describe("flagSource()", () => {
  it("finds a kebab-case key under commander's camelCase", () => {
    const flags = { listen: "127.0.0.1:1", handshakeTimeout: "7", config: "x" };
    const { values, nameOf } = flagSource(tables.local, flags);
    expect(values).toMatchObject({ listen: "127.0.0.1:1", "handshake-timeout": "7" });
    expect(values).not.toHaveProperty("config");
    expect(nameOf("handshake-timeout")).toBe("--handshake-timeout");
  });

  it("has no value for a flag that was not given", () => {
    expect(flagSource(tables.local, {}).values["listen"]).toBeUndefined();
  });
});

describe("environmentSource()", () => {
  it("takes EDGESOCKS_* variables, and no others", () => {
    const { values, nameOf } = environmentSource({
      EDGESOCKS_LISTEN: "127.0.0.1:1",
      EDGESOCKS_TLS_CERT: "cert.pem",
      EDGESOCKS_CONFIG: "some.toml",
      LISTEN: "127.0.0.1:2",
      PATH: "/bin",
    });
    expect(values).toEqual({ listen: "127.0.0.1:1", "tls-cert": "cert.pem" });
    expect(nameOf("tls-cert")).toBe("EDGESOCKS_TLS_CERT");
  });

  it.each([
    ["EDGESOCKS_LISEN", "EDGESOCKS_LISTEN"],
    ["EDGESOCKS_LOGLEVEL", "EDGESOCKS_LOG_LEVEL"],
    ["EDGESOCKS_USER", "EDGESOCKS_USERS"],
    ["EDGESOCKS_", "EDGESOCKS_DNS"],
  ])("names the nearest of %s", (variable, nearest) => {
    const text = messageOf(() => environmentSource({ [variable]: "hunter2" }));
    expect(text).toContain(variable);
    expect(text).toContain(`Did you mean ${nearest}?`);
    expect(text).not.toContain("hunter2");
  });
});

describe("fileSource()", () => {
  it("reads the keys of a TOML file, and says where one is from", () => {
    const file = configFile('listen = "127.0.0.1:1"\nhandshake-timeout = 7\nusers = ["a:b"]\n');
    const { values, nameOf } = fileSource(file, {});
    expect(values).toEqual({ listen: "127.0.0.1:1", "handshake-timeout": 7, users: ["a:b"] });
    expect(nameOf("listen")).toBe(`"listen" in ${file}`);
  });

  it("reads the file that EDGESOCKS_CONFIG names, unless a flag names another", () => {
    const [byFlag, byVariable] = [configFile('listen = "flag:1"'), configFile('listen = "var:1"')];
    const environment = { EDGESOCKS_CONFIG: byVariable };
    expect(fileSource(undefined, environment).values).toEqual({ listen: "var:1" });
    expect(fileSource(byFlag, environment).values).toEqual({ listen: "flag:1" });
  });

  it("takes the keys of every command, as one file may serve them all", () => {
    const file = configFile('edge = "wss://h/"\nedge-listen = "127.0.0.1:1"\ntls-cert = "x"\n');
    expect(() => fileSource(file, {})).not.toThrow();
  });

  it("refuses a named file that is not there", () => {
    const text = messageOf(() => fileSource(join(tempFolder(), "missing.toml"), {}));
    expect(text).toMatch(/^Cannot read .*missing\.toml: ENOENT/);
  });

  it.each([
    ["lisen", "listen"],
    ["log_level", "log-level"],
    ["tls-certificate", "tls-cert"],
  ])("names the nearest of the key %s", (key, nearest) => {
    const text = messageOf(() => fileSource(configFile(`${key} = "hunter2"`), {}));
    expect(text).toContain(`"${key}"`);
    expect(text).toContain(`Did you mean ${nearest}?`);
    expect(text).not.toContain("hunter2");
  });

  it.each([
    ["a value without quotes", 'listen = "x:1"\nsecret = hunter2hunter2\n', 2],
    ["a text that does not end", 'secret = "hunter2hunter2\nlisten = "x:1"\n', 1],
    ["a key twice", 'secret = "hunter2"\nsecret = "hunter2"\n', 2],
    ["something after a value", 'secret = "x" hunter2\n', 1],
    ["no value", "listen\n", 1],
  ])("names the line of %s, and shows nothing of it", (_what, toml, line) => {
    const text = messageOf(() => fileSource(configFile(toml), {}));
    expect(text).toContain(`some.toml, line ${line}: `);
    expect(text).not.toContain("hunter2");
  });
});

describe("readText()", () => {
  it("gives the text of a file", () => {
    expect(readText(configFile("text\n"))).toBe("text\n");
  });

  it("refuses a folder", () => {
    expect(messageOf(() => readText(tempFolder()))).toMatch(/^Cannot read .*EISDIR/);
  });
});

describe("the sources together", () => {
  const flags = { logLevel: "debug" };
  const environment = { EDGESOCKS_LOG_LEVEL: "warn", EDGESOCKS_LOG_FORMAT: "json" };

  it("let a flag beat a variable, a variable the file, and the file the default", () => {
    const file = configFile('log-level = "error"\nlog-format = "text"\nhandshake-timeout = 7\n');
    const settings = loadSettings(tables.local, [
      flagSource(tables.local, flags),
      environmentSource(environment),
      fileSource(file, environment),
    ]);
    expect(settings).toMatchObject({
      "log-level": "debug",
      "log-format": "json",
      "handshake-timeout": 7000,
      "connect-timeout": 15_000,
    });
  });
});
