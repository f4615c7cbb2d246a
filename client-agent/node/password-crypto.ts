import { createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import type { PasswordCrypto } from "../listeners/password-checker.ts";
import { memoryOf, type PasswordHash } from "../listeners/password-hash.ts";

const KEY_BYTES = 32;

/** scrypt in Node's thread pool; fingerprints are under a random key that ends with the process. */
export function createPasswordCrypto(): PasswordCrypto {
  const key = randomBytes(KEY_BYTES);
  return {
    derive: deriveScrypt,
    isEqual: (left, right) => left.length === right.length && timingSafeEqual(left, right),
    fingerprint: (name, password) => {
      const mac = createHmac("sha256", key);
      // The length in front: "ab" and "c" are not "a" and "bc".
      mac.update(`${name.length}:${name}`);
      return mac.update(password).digest("base64");
    },
  };
}

/** scrypt (RFC 7914) to the length of `hash.hash`. */
export function deriveScrypt(password: Uint8Array, hash: PasswordHash): Promise<Uint8Array> {
  const { logN, r, p, salt } = hash;
  // Beside the large block: p blocks of 128 * r, and two more that OpenSSL counts.
  const maxmem = memoryOf(hash) + 128 * r * (p + 2);
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hash.hash.length, { N: 2 ** logN, r, p, maxmem }, (error, derived) => {
      if (error) reject(error);
      else resolve(new Uint8Array(derived));
    });
  });
}
