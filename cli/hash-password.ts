import { formatPasswordHash } from "../client-agent/listeners/password-hash.ts";
import { hashPassword } from "../client-agent/node/hash-passwords.ts";
import { ConfigError } from "../protocol/errors.ts";
import { readPassword } from "./read-password.ts";
import { isCredential } from "./setting-types.ts";

/**
 * `edgesocks hash-password`: the entry of a user for the setting `users`, or without a name the hash
 * alone. @throws ConfigError for a name or password that no client could send
 */
export async function hashPasswordEntry(name?: string): Promise<string> {
  // Control characters: a name that cannot be seen for what it is in a file or a log.
  if (name !== undefined && (!isCredential(name) || /[:\p{Cc}]/u.test(name))) {
    throw new ConfigError("Cannot use the name: expected 1 to 255 bytes without a colon");
  }
  const password = await readPassword(process.stdin, process.stderr);
  if (!isCredential(password)) {
    throw new ConfigError("Cannot use the password: expected 1 to 255 bytes");
  }
  const hash = formatPasswordHash(await hashPassword(password));
  return name === undefined ? hash : `${name}:${hash}`;
}
