import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadTlsPair } from "../../../edge-worker/node/tls-files.ts";
import { ConfigError } from "../../../protocol/errors.ts";
import { certificatesMissing, makeCertificate } from "../../support/certificate.ts";
import { tempFolder } from "../../support/temp-folder.ts";

/** Loads a pair from files with these texts; gives the message when it cannot be used. */
async function load(cert: string, key: string) {
  const folder = tempFolder({ "cert.pem": cert, "key.pem": key });
  const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
  try {
    return await loadTlsPair(files);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message.replaceAll(`${folder}/`, "");
  }
}

describe.skipIf(certificatesMissing !== undefined)("loadTlsPair()", () => {
  it.each(["ec", "rsa"] as const)("loads a pair of kind %s", async (kind) => {
    const { cert, key } = makeCertificate(kind);
    const pair = await load(cert, key);
    expect(pair).toMatchObject({ cert, key });
    const { expiresAt } = pair as { expiresAt: number };
    expect(expiresAt).toBeGreaterThan(Date.now());
  });

  it("refuses a key of another certificate, of the same kind and of another", async () => {
    const { cert } = makeCertificate("ec");
    const text = "Cannot use key.pem for tls-key: it is not the key of cert.pem";
    expect(await load(cert, makeCertificate("ec").key)).toBe(text);
    expect(await load(cert, makeCertificate("rsa").key)).toBe(text);
  });

  it("names the file that is no PEM", async () => {
    const { cert, key } = makeCertificate();
    expect(await load("nonsense", key)).toMatch(/^Cannot use cert\.pem for tls-cert: /);
    expect(await load(cert, "nonsense")).toMatch(/^Cannot use key\.pem for tls-key: /);
    expect(await load("", "")).toMatch(/^Cannot use cert\.pem for tls-cert: /);
    expect(await load(cert.slice(0, -200), key)).toMatch(/^Cannot use cert\.pem for tls-cert: /);
  });
});

describe("loadTlsPair()", () => {
  it("names the file that cannot be read", async () => {
    const folder = tempFolder();
    const missing = { certFile: join(folder, "missing.pem"), keyFile: "/dev/zero" };
    await expect(loadTlsPair(missing)).rejects.toThrow(
      /^Cannot read .*missing.pem for tls-cert: EN/,
    );
  });

  it.each(["/dev/zero", "/"])("refuses %s, which is no file", async (certFile) => {
    await expect(loadTlsPair({ certFile, keyFile: certFile })).rejects.toThrow("it is not a file");
  });

  it("refuses a file that is too large", async () => {
    expect(await load("x".repeat(1_048_577), "")).toContain(
      "cert.pem for tls-cert: it is too large",
    );
  });
});
