import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CliOutcome, runCli } from "../support/cli.ts";
import { certificatesMissing, makeCertificate } from "../support/certificate.ts";
import { startTarget } from "../support/target.ts";
import { tempFolder } from "../support/temp-folder.ts";

const SECRET = "a secret long enough";

/** The one line that a command ends with, before it has opened anything. */
function lineOf({ code, stdout, stderr }: CliOutcome): string {
  expect(stderr).toMatch(/^edgesocks: [^\n]+\n$/);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  return stderr;
}

/** Starts `edgesocks edge` with this edge.toml and these files beside it. */
async function edgeWith(
  toml: string,
  files: Readonly<Record<string, string>> = {},
): Promise<string> {
  const folder = tempFolder({ "edge.toml": toml, ...files });
  const args = ["edge", "--config", "edge.toml", "--secret-file", join(folder, "secret")];
  return lineOf(await runCli(args, {}, folder));
}

describe("edgesocks edge with a file that it cannot use", () => {
  it.each([
    // key, its value as TOML, and why it is refused
    ["listen", '"8443"', "expected HOST:PORT or unix:PATH"],
    ["listen", "8443", "expected HOST:PORT or unix:PATH"],
    ["listen", "[]", "expected HOST:PORT or unix:PATH"],
    ["listen", '["127.0.0.1:0", "here"]', "expected HOST:PORT or unix:PATH"],
    ["listen", '"127.0.0.1:99999"', "expected HOST:PORT or unix:PATH"],
    ["listen", '"unix:"', "expected HOST:PORT or unix:PATH"],
    ["listen", '{ host = "127.0.0.1" }', "expected HOST:PORT or unix:PATH"],
    ["listen-plain", '"::1:80"', "expected HOST:PORT or unix:PATH"],
    ["admin", '"9464"', "expected HOST:PORT"],
    ["tls-cert", "true", "expected a file name"],
    ["tls-key", '""', "expected a file name"],
    ["trusted-proxies", '"10.0.0.1"', "expected address ranges"],
    ["trusted-proxies", '["10.0.0.0/8", "nginx"]', "expected address ranges"],
    ["trusted-proxies", '"10.0.0.0/33"', "expected address ranges"],
    ["forwarded-headers", '"via"', "expected x-forwarded-for"],
    ["max-connections", "0", "expected a whole number from 1"],
    ["max-connections", "nan", "expected a whole number from 1"],
    ["max-connections-per-address", '"many"', "expected a whole number from 1"],
    ["drain-timeout", "301", "expected 0 to 300 seconds"],
    ["drain-timeout", "-1", "expected 0 to 300 seconds"],
    ["connect-timeout", "inf", "expected 0.1 to 120 seconds"],
    ["allow-private", '"yes"', "expected true or false"],
    ["runtime", '"deno"', "expected node or workerd"],
    ["bridge", "2026-11-21", "expected durable or stateless"],
    ["log-level", '"loud\\nand clear"', "expected debug, info, warn or error"],
    ["key-id", '"a b"', "expected 1 to 32"],
  ])("names file, key and reason: %s = %s", async (key, value, reason) => {
    const line = await edgeWith(`${key} = ${value}\n`);
    expect(line).toContain(`"${key}" in edge.toml: ${reason}`);
  });

  it.each([
    ["listn = 1\n", 'the key "listn" in edge.toml: it is unknown. Did you mean listen?'],
    ["[server]\n", 'the key "server" in edge.toml'],
    ["listen = \n", "Cannot read edge.toml, line 1: "],
    ['a = "\u0000"\n', "Cannot read edge.toml, line 1: "],
    ["runtime = 1\nruntime = 2\n", "Cannot read edge.toml, line 2: "],
  ])("names file and place: %j", async (toml, text) => {
    expect(await edgeWith(toml)).toContain(text);
  });

  it.each([
    ['tls-cert = "a.pem"', "Cannot use --tls-cert without --tls-key"],
    ['tls-cert = "a.pem"\ntls-key = "b.pem"', "Cannot read a.pem for tls-cert: ENOENT"],
    ['tls-cert = "edge.toml"\ntls-key = "edge.toml"', "Cannot use edge.toml for tls-cert: "],
    ['tls-cert = "/"\ntls-key = "/"', "Cannot read / for tls-cert: it is not a file"],
    ['runtime = "workerd"\nadmin = "127.0.0.1:0"', "Cannot use --admin with --runtime workerd"],
    [
      'runtime = "workerd"\ntrusted-proxies = "unix"',
      "Cannot use --trusted-proxies with --runtime workerd",
    ],
    [
      'forwarded-headers = ["forwarded", "x-forwarded-for"]',
      "Cannot use forwarded-headers with both",
    ],
    [
      'listen = "unix:/no/such/folder/edge.sock"',
      "Cannot listen on unix:/no/such/folder/edge.sock: there is no such folder",
    ],
    [
      'runtime = "workerd"\nlisten = "unix:/no/such/folder/edge.sock"',
      "Cannot listen on unix:/no/such/folder/edge.sock: there is no such folder",
    ],
    ['listen = "192.0.2.1:0"', "Cannot listen on 192.0.2.1: this machine has no such address"],
  ])("names what does not go together, or does not go: %j", async (toml, text) => {
    expect(await edgeWith(`${toml}\n`, { secret: `${SECRET}\n` })).toContain(text);
  });

  it("names the secret's file that is empty, and the secret that is short, without showing it", async () => {
    expect(await edgeWith("", { secret: "\n" })).toContain("Cannot start without a secret");
    const line = await edgeWith("", { secret: "hunter2\n" });
    expect(line).toContain("Cannot use the secret");
    expect(line).not.toContain("hunter2");
  });

  it.skipIf(certificatesMissing !== undefined)(
    "names the key that is not the certificate's",
    async () => {
      const files = { "cert.pem": makeCertificate().cert, "key.pem": makeCertificate("rsa").key };
      const toml = 'tls-cert = "cert.pem"\ntls-key = "key.pem"\n';
      const line = await edgeWith(toml, { ...files, secret: SECRET });
      expect(line).toBe(
        "edgesocks: Cannot use key.pem for tls-key: it is not the key of cert.pem\n",
      );
    },
  );

  it("names the second of its places when that is taken", async () => {
    const taken = await startTarget((socket) => socket.end());
    const toml = `listen = ["127.0.0.1:0", "127.0.0.1:${taken.port}"]\n`;
    const line = await edgeWith(toml, { secret: SECRET });
    expect(line).toBe(`edgesocks: Cannot listen on 127.0.0.1:${taken.port}: the port is in use\n`);
    await taken.close();
  });

  it("stays one line for a file whose name is several", async () => {
    const outcome = await runCli(["edge", "--config", "no\nsuch\nfile.toml"]);
    expect(lineOf(outcome)).toContain("Cannot read no such file.toml");
  });
});
