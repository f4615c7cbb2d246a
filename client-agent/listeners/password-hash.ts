import { ConfigError } from "../../protocol/errors.ts";

/** What is kept of a password: the output of scrypt (RFC 7914) and all that went into it. */
export interface PasswordHash {
  /** The cost N as its binary logarithm. */
  readonly logN: number;
  /** The block size. */
  readonly r: number;
  /** The parallelization. */
  readonly p: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** The parameters of new hashes: 32 MiB, and some 60 ms of a core. */
export const DEFAULT_COST = { logN: 15, r: 8, p: 1 } as const;
/** Octets of the salt and the hash of new hashes. */
export const SALT_BYTES = 16;
export const HASH_BYTES = 32;

/** The first characters of a hash in the settings: no other text is taken for one. */
export const PHC_PREFIX = "$scrypt$";

const MAX_LOG_N = 17;
/** Below that it is hardly a hash: 1 MiB with the usual block size. */
const MIN_LOG_N = 10;
/** Of one run: 128 * N * r octets (RFC 7914 section 5). */
const MAX_MEMORY_BYTES = 134_217_728;
/** How often one run may go through its memory. */
const MAX_PARALLELIZATION = 16;
const SALT_RANGE = [8, 64] as const;
const HASH_RANGE = [16, 64] as const;
const PHC = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/**
 * Reads `$scrypt$ln=15,r=8,p=1$SALT$HASH`, the PHC string format with base64 that has no padding.
 * @throws ConfigError, which does not show the text
 */
export function parsePasswordHash(text: string): PasswordHash {
  const [, logN, r, p, salt = "", hash = ""] = PHC.exec(text) ?? [];
  if (logN === undefined) throw unusable(`expected ${PHC_PREFIX}ln=15,r=8,p=1$SALT$HASH`);
  const parsed = {
    logN: Number(logN),
    r: Number(r),
    p: Number(p),
    salt: decodeBase64(salt, "salt"),
    hash: decodeBase64(hash, "hash"),
  };
  requireBounds(parsed);
  return parsed;
}

/** The inverse of parsePasswordHash(). */
export function formatPasswordHash({ logN, r, p, salt, hash }: PasswordHash): string {
  return `${PHC_PREFIX}ln=${logN},r=${r},p=${p}$${encodeBase64(salt)}$${encodeBase64(hash)}`;
}

/** Octets that one run of scrypt works on. */
export function memoryOf({ logN, r }: Pick<PasswordHash, "logN" | "r">): number {
  return 128 * 2 ** logN * r;
}

function requireBounds(hash: PasswordHash): void {
  const { logN, r, p } = hash;
  requireRange("ln", logN, MIN_LOG_N, MAX_LOG_N);
  if (r === 0 || memoryOf(hash) > MAX_MEMORY_BYTES) {
    throw unusable(`ln and r ask for ${memoryOf(hash)} bytes of memory, not 1 to 134217728`);
  }
  requireRange("p", p, 1, MAX_PARALLELIZATION);
  requireRange("the length of the salt", hash.salt.length, ...SALT_RANGE);
  requireRange("the length of the hash", hash.hash.length, ...HASH_RANGE);
}

function requireRange(what: string, value: number, min: number, max: number): void {
  if (value < min || value > max) throw unusable(`${what} is ${value}, not ${min} to ${max}`);
}

function decodeBase64(text: string, what: string): Uint8Array {
  // No octets have a text of 4n + 1 characters, and atob() would throw.
  if (text.length % 4 !== 1) {
    const octets = Uint8Array.from(atob(text), (octet) => octet.charCodeAt(0));
    // Bits behind the last octet would be a second spelling of the same hash.
    if (encodeBase64(octets) === text) return octets;
  }
  throw unusable(`the ${what} is not base64 without padding`);
}

function encodeBase64(octets: Uint8Array): string {
  return btoa(String.fromCharCode(...octets)).replaceAll("=", "");
}

function unusable(why: string): ConfigError {
  return new ConfigError(`Cannot use the password hash: ${why}`);
}
