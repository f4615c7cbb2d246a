import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { open } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { ConfigError, messageOf } from "../../protocol/errors.ts";

/** Where the certificate chain and its key are, as PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate chain and its key that fit together, as PEM texts. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
  /** When the certificate ends, in milliseconds of the Unix epoch. */
  readonly expiresAt: number;
}

/** A chain and a key are some kilobytes. */
const MAX_FILE_BYTES = 1_048_576;

/** The pair that the files hold now. @throws ConfigError that names the file and what is wrong */
export async function loadTlsPair({ certFile, keyFile }: TlsFiles): Promise<TlsPair> {
  const cert = await readPem("tls-cert", certFile);
  const key = await readPem("tls-key", keyFile);
  const certificate = parse("tls-cert", certFile, () => new X509Certificate(cert));
  const privateKey = parse("tls-key", keyFile, () => createPrivateKey(key));
  requireMatch(certificate, privateKey, { certFile, keyFile });
  parse("tls-cert", certFile, () => createSecureContext({ cert, key }));
  return { cert, key, expiresAt: Date.parse(certificate.validTo) };
}

/** OpenSSL keeps a key for each algorithm, and would take one that is of another than the chain. */
function requireMatch(certificate: X509Certificate, key: KeyObject, files: TlsFiles): void {
  if (certificate.checkPrivateKey(key)) return;
  throw new ConfigError(
    `Cannot use ${files.keyFile} for tls-key: it is not the key of ${files.certFile}`,
  );
}

async function readPem(setting: string, file: string): Promise<string> {
  try {
    const handle = await open(file);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new Error("it is not a file");
      if (stats.size > MAX_FILE_BYTES) throw new Error("it is too large");
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new ConfigError(`Cannot read ${file} for ${setting}: ${messageOf(cause)}`, { cause });
  }
}

function parse<Result>(setting: string, file: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    throw new ConfigError(`Cannot use ${file} for ${setting}: ${messageOf(cause)}`, { cause });
  }
}
