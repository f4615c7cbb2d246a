import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { tables } from "../../cli/tables.ts";
import { type CliOutcome, runCli } from "../support/cli.ts";
import { closedPort } from "../support/target.ts";
import { tempFolder } from "../support/temp-folder.ts";

const manifest = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
) as { version: string };
const SECRET = "a secret long enough";
/** Takes no port that anybody else could want. */
const anyPorts = ["listen", "admin", "edge-listen"].flatMap((key) => [`--${key}`, "127.0.0.1:0"]);

/** Expects the exit code for what a user can mend, nothing on stdout and one line on stderr. */
function usageError({ code, stdout, stderr }: CliOutcome): string {
  expect(stderr).toMatch(/^edgesocks: [^\n]+\n$/);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  return stderr;
}

describe("edgesocks", () => {
  it("prints the version of its package", async () => {
    const outcome = await runCli(["--version"]);
    expect(outcome).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: "" });
  });

  it.each([["--help"], ["-h"], ["help"]])("prints its commands for %s", async (flag) => {
    const { code, stdout, stderr } = await runCli([flag]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const command of [...Object.keys(tables), "hash-password"])
      expect(stdout).toMatch(new RegExp(`^ +${command} `, "m"));
  });

  it.each(Object.keys(tables) as (keyof typeof tables)[])(
    "prints every flag of %s",
    async (command) => {
      const { code, stdout } = await runCli([command, "--help"]);
      expect(code).toBe(0);
      for (const [key, setting] of Object.entries(tables[command])) {
        if ("isSecret" in setting || "isStructured" in setting)
          expect(stdout).not.toContain(`--${key} `);
        else expect(stdout).toContain(`--${key}`);
      }
      expect(stdout).toContain("--config <file>");
    },
  );

  it.each(["agent", "edge", "deploy"])(
    "names the variable of the secret for %s",
    async (command) => {
      const { stdout } = await runCli([command, "--help"]);
      expect(stdout).toContain("EDGESOCKS_SECRET");
    },
  );

  it("says what is missing when there is no command", async () => {
    const { code, stdout, stderr } = await runCli([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: edgesocks");
    expect(stderr).not.toContain("outputHelp");
  });
});

describe("edgesocks on what it cannot use", () => {
  it.each([
    [["nonsense"], "unknown command 'nonsense'"],
    [["locl"], "unknown command 'locl'"],
    [["local", "--lisen", "127.0.0.1:0"], "unknown option '--lisen' (Did you mean --listen?)"],
    [["local", "--secret", "hunter2"], "unknown option '--secret'"],
    [["local", "--users", "alice:hunter2"], "unknown option '--users'"],
    [["local", "--listen"], "argument missing"],
    [["local", "surplus"], "too many arguments"],
    [["local", "--listen", "1080"], 'Cannot use "1080" for --listen: expected HOST:PORT'],
    [["local", "--log-level", "loud"], 'Cannot use "loud" for --log-level'],
    [["local", "--config", "missing.toml"], "Cannot read missing.toml: ENOENT"],
    [["local", ...anyPorts, "--listen", "0.0.0.0:0"], "Cannot listen on 0.0.0.0:0 without users"],
    [["local", ...anyPorts, "--listen", "[::]:0"], "Cannot listen on [::]:0 without users"],
    [["agent"], "Cannot start without an edge"],
    [["agent", "--edge", "https://127.0.0.1/"], "expected wss://HOST/PATH"],
    [["agent", "--edge", "wss://127.0.0.1/"], "Cannot start without a secret"],
    [["edge"], "Cannot start without a secret"],
    [["edge", "--secret-file", "missing"], "Cannot read missing: ENOENT"],
    [["deploy", "--name", "My Edge"], 'Cannot use "My Edge" for --name: expected 1 to 63'],
    [["deploy", "--secret", "hunter2"], "unknown option '--secret'"],
    [["init", "--secret", "hunter2"], "unknown option '--secret'"],
    [["init", "--edge", "https://h/"], "expected wss://HOST/PATH"],
  ] as const)("exits with 2 and one line for %j", async (args, text) => {
    const stderr = usageError(await runCli(args));
    expect(stderr).toContain(text);
    expect(stderr).not.toContain("hunter2");
  });

  it.each([
    [{ EDGESOCKS_LISEN: "x" }, "EDGESOCKS_LISEN: it is unknown. Did you mean EDGESOCKS_LISTEN?"],
    [{ EDGESOCKS_FORCE: "true" }, "EDGESOCKS_FORCE: it is unknown"],
    [{ EDGESOCKS_LISTEN: "x" }, 'Cannot use "x" for EDGESOCKS_LISTEN: expected HOST:PORT'],
    [{ EDGESOCKS_USERS: "hunter2" }, "Cannot use a secret for EDGESOCKS_USERS"],
    [
      { EDGESOCKS_USERS: "a:$scrypt$ln=9,hunter2" },
      "EDGESOCKS_USERS: Cannot use the password hash",
    ],
    [{ EDGESOCKS_UDP_FRAGMENT_TIMEOUT: "4.9" }, "expected 5 to 600 seconds"],
    [{ EDGESOCKS_LISTEN: "0.0.0.0:0" }, "without users"],
  ])("exits with 2 and one line for %j", async (variables, text) => {
    const stderr = usageError(await runCli(["local", ...anyPorts.slice(2)], variables));
    expect(stderr).toContain(text);
    expect(stderr).not.toContain("hunter2");
  });

  it("refuses a short secret without showing it", async () => {
    const args = ["edge", "--listen", "127.0.0.1:0"];
    const stderr = usageError(await runCli(args, { EDGESOCKS_SECRET: "hunter2" }));
    expect(stderr).toContain("Cannot use the secret");
    expect(stderr).not.toContain("hunter2");
  });

  it.each([
    ["a value", 'listen = "x"', 'Cannot use "x" for "listen" in edgesocks.toml'],
    [
      "a key",
      'lisen = "x"',
      'the key "lisen" in edgesocks.toml: it is unknown. Did you mean listen?',
    ],
    ["a key that is a flag only", "dry-run = true", 'the key "dry-run" in edgesocks.toml'],
    ["a secret", 'users = "hunter2"', 'Cannot use a secret for "users" in edgesocks.toml'],
    ["the syntax", 'users = ["hunter2"', "Cannot read edgesocks.toml, line "],
  ])("exits with 2 and one line for %s of edgesocks.toml", async (_what, toml, text) => {
    const folder = tempFolder({ "edgesocks.toml": `${toml}\n` });
    const stderr = usageError(await runCli(["local"], {}, folder));
    expect(stderr).toContain(text);
    expect(stderr).not.toContain("hunter2");
  });

  it("takes the flag before the variable, and the variable before the file", async () => {
    const folder = tempFolder({ "edgesocks.toml": 'listen = "file"\nadmin = "file"\n' });
    const both = await runCli(
      ["local", "--listen", "flag"],
      { EDGESOCKS_LISTEN: "variable" },
      folder,
    );
    expect(usageError(both)).toContain('"flag" for --listen');
    const variable = await runCli(["local"], { EDGESOCKS_LISTEN: "variable" }, folder);
    expect(usageError(variable)).toContain('"variable" for EDGESOCKS_LISTEN');
  });

  it.each([
    ["--tls-cert", "Cannot use --tls-cert without --tls-key"],
    ["--tls-key", "Cannot use --tls-cert without --tls-key"],
  ])("exits with 2 for %s alone", async (flag, text) => {
    const args = ["edge", "--listen", "127.0.0.1:0", flag, "some.pem"];
    expect(usageError(await runCli(args, { EDGESOCKS_SECRET: SECRET }))).toContain(text);
  });

  it("exits with 2 for a certificate that is none, and names the file", async () => {
    const folder = tempFolder({ "bad.pem": "not a certificate\n" });
    const tls = ["--tls-cert", "bad.pem", "--tls-key", "bad.pem"];
    const args = ["edge", "--listen", "127.0.0.1:0", ...tls];
    const stderr = usageError(await runCli(args, { EDGESOCKS_SECRET: SECRET }, folder));
    expect(stderr).toContain("bad.pem");
  });

  it("refuses TLS on workerd, which is told of no certificate", async () => {
    const folder = tempFolder({ "some.pem": "" });
    const tls = ["--tls-cert", "some.pem", "--tls-key", "some.pem"];
    const args = ["edge", "--listen", "127.0.0.1:0", "--runtime", "workerd", ...tls];
    const stderr = usageError(await runCli(args, { EDGESOCKS_SECRET: SECRET }, folder));
    expect(stderr).toContain("Cannot use --tls-cert with --runtime workerd");
  });

  it("starts no agent at a port where others could use it, though its edge is away", async () => {
    const edge = `ws://127.0.0.1:${await closedPort()}/`;
    const args = ["agent", "--listen", "0.0.0.0:0", "--edge", edge];
    expect(usageError(await runCli(args, { EDGESOCKS_SECRET: SECRET }))).toContain("without users");
  });
});
