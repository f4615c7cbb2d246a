import { randomBytes } from "node:crypto";
import {
  DEFAULT_COST,
  HASH_BYTES,
  type PasswordHash,
  SALT_BYTES,
} from "../listeners/password-hash.ts";
import { deriveScrypt } from "./password-crypto.ts";

/** A password of the settings: its hash, or as it is. */
export type Password = PasswordHash | string;

/** The hash of a password, with a salt of its own. */
export async function hashPassword(password: string): Promise<PasswordHash> {
  const cost = {
    ...DEFAULT_COST,
    salt: new Uint8Array(randomBytes(SALT_BYTES)),
    hash: new Uint8Array(HASH_BYTES),
  };
  return { ...cost, hash: await deriveScrypt(new TextEncoder().encode(password), cost) };
}

/** Users with nothing but hashes, so that no password stays in memory. */
export async function hashPasswords(
  users: ReadonlyMap<string, Password>,
): Promise<ReadonlyMap<string, PasswordHash>> {
  const hashes = new Map<string, PasswordHash>();
  for (const [slice, password] of users) {
    // A copy: V8 may keep a part of a text as a reference into the whole, which is NAME:PASSWORD.
    const name = Buffer.from(slice).toString();
    hashes.set(name, typeof password === "string" ? await hashPassword(password) : password);
  }
  return hashes;
}
