import type { PasswordCrypto } from "../../client-agent/listeners/password-checker.ts";
import { DEFAULT_COST, type PasswordHash } from "../../client-agent/listeners/password-hash.ts";
import { createUsers, type Users } from "../../client-agent/listeners/users.ts";
import { toHex } from "./hex.ts";

const encoder = new TextEncoder();

/** A "cryptography" in which every password is its own hash, as scrypt would only cost time. */
export const plainCrypto: PasswordCrypto = {
  derive: (password) => Promise.resolve(password.slice()),
  isEqual: (left, right) => toHex(left) === toHex(right),
  fingerprint: (name, password) => `${name} ${toHex(password)}`,
};

export function plainHash(password: string): PasswordHash {
  return { ...DEFAULT_COST, salt: new Uint8Array(16), hash: encoder.encode(password) };
}

/** Users from `name → password`. */
export function plainUsers(passwords: Readonly<Record<string, string>> = {}): Users {
  const hashes = Object.entries(passwords).map(([name, text]) => [name, plainHash(text)] as const);
  return createUsers(new Map(hashes), plainCrypto);
}
