import { execFileSync } from "node:child_process";
import { findProgram } from "./program.ts";

/** A self-signed certificate for localhost and 127.0.0.1, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Why certificates cannot be made here; undefined where they can. */
export const certificatesMissing =
  findProgram("openssl") === undefined ? "Skipping tests of TLS: there is no openssl" : undefined;
if (certificatesMissing !== undefined) process.stderr.write(`${certificatesMissing}\n`);

const KINDS = {
  ec: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
  rsa: ["-newkey", "rsa:2048"],
} as const;

/** A new certificate and its key, good for two days. */
export function makeCertificate(kind: keyof typeof KINDS = "ec"): Certificate {
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const pem = execFileSync(
    "openssl",
    ["req", "-x509", ...KINDS[kind], "-nodes", "-days", "2", ...name, "-keyout", "-", "-out", "-"],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  return { cert: blockOf(pem, "CERTIFICATE"), key: blockOf(pem, "PRIVATE KEY") };
}

function blockOf(pem: string, label: string): string {
  const block = new RegExp(`-----BEGIN ${label}-----[^]*?-----END ${label}-----\n`).exec(pem);
  if (!block) throw new Error(`openssl has made no ${label}`);
  return block[0];
}
