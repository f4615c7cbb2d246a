import { EdgesocksError } from "./errors.ts";

/** What a valid token says of its bearer. */
export interface Admitted {
  readonly keyId: string;
  /** Used once: where there is state, a second token with it is refused. */
  readonly nonce: string;
  /** When the token ends, in milliseconds of the Unix epoch. */
  readonly expiresAt: number;
}

/** What a token is bound to beside its time: the host without port, and the path without query. */
export interface Place {
  readonly host: string;
  readonly path: string;
}

/** Clocks may differ by this much, either way. */
export const TOLERANCE_MS = 120_000;
/** Shorter secrets are refused: a token is an oracle for guessing them off-line. */
export const MIN_SECRET_LENGTH = 16;

/** What names a key, and so its user. */
export const KEY_ID: RegExp = /^[A-Za-z0-9_-]{1,32}$/;
/** `keyId.timestamp.nonce.mac`: seconds in decimal, 16 and 32 octets in base64url. */
const TOKEN = /^([A-Za-z0-9_-]{1,32})\.(\d{1,12})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;
const NONCE_LENGTH = 16;

const encoder = new TextEncoder();

/** Makes the Bearer token of the Upgrade request (PROTOCOL.md section 11). */
export class Admission {
  readonly #keyId: string;
  readonly #key: Promise<CryptoKey>;

  /** @throws EdgesocksError ERR_ADMISSION for a key id or secret that cannot be used */
  constructor(keyId: string, secret: string) {
    checkKey(keyId, secret);
    this.#keyId = keyId;
    this.#key = importKey(secret);
  }

  /** A token for one Upgrade request. */
  async issue(place: Place, nowMs: number): Promise<string> {
    const nonce = encodeBase64Url(crypto.getRandomValues(new Uint8Array(NONCE_LENGTH)));
    const signed = `${this.#keyId}.${Math.floor(nowMs / 1000)}.${nonce}`;
    const mac = await crypto.subtle.sign("HMAC", await this.#key, signedBytes(place, signed));
    return `${signed}.${encodeBase64Url(new Uint8Array(mac))}`;
  }
}

/** A key that an edge takes. */
export interface Key {
  readonly id: string;
  readonly secret: string;
  /** When it ends, in milliseconds of the Unix epoch; Infinity for never. */
  readonly expiresAt: number;
}

/** Checks tokens against the keys of an edge (PROTOCOL.md section 11). */
export class Keyring {
  readonly #keys = new Map<string, Key>();
  /** Made when they are first needed: there may be many, and a knock asks for one. */
  readonly #imported = new Map<string, Promise<CryptoKey>>();
  /** Stands in for a key that is not there, so that its absence takes as long as a wrong MAC. */
  readonly #decoy: Promise<CryptoKey>;

  /** @throws EdgesocksError ERR_ADMISSION for a key id or secret that cannot be used */
  constructor(keys: readonly Key[]) {
    for (const key of keys) {
      checkKey(key.id, key.secret);
      this.#keys.set(key.id, key);
    }
    this.#decoy = importKey(crypto.randomUUID());
  }

  /**
   * The bearer, or undefined for any token that is not valid: the caller has nothing to tell a
   * stranger, so it is not told which part was wrong. The MAC is compared in constant time, and
   * is computed for an unknown key id and a wrong time too.
   */
  async check(token: string, place: Place, nowMs: number): Promise<Admitted | undefined> {
    const match = TOKEN.exec(token);
    if (!match) return undefined;
    const [, keyId = "", seconds = "", nonce = "", mac = ""] = match;
    const found = this.#keys.get(keyId);
    const isGenuine = await crypto.subtle.verify(
      "HMAC",
      await (found ? this.#import(found) : this.#decoy),
      decodeBase64Url(mac),
      signedBytes(place, `${keyId}.${seconds}.${nonce}`),
    );
    const issuedAt = Number(seconds) * 1000;
    const isTimely = Math.abs(nowMs - issuedAt) <= TOLERANCE_MS;
    if (!isGenuine || !isTimely || !found || nowMs >= found.expiresAt) return undefined;
    return { keyId, nonce, expiresAt: issuedAt + TOLERANCE_MS };
  }

  #import({ id, secret }: Key): Promise<CryptoKey> {
    const imported = this.#imported.get(id) ?? importKey(secret);
    this.#imported.set(id, imported);
    return imported;
  }
}

/** @throws EdgesocksError ERR_ADMISSION */
function checkKey(keyId: string, secret: string): void {
  if (!KEY_ID.test(keyId)) {
    throw new EdgesocksError("ERR_ADMISSION", "Cannot use the key id: 1 to 32 of A-Z a-z 0-9 _ -");
  }
  if (secret.length >= MIN_SECRET_LENGTH) return;
  const text = `Cannot use the secret: it has fewer than ${MIN_SECRET_LENGTH} characters`;
  throw new EdgesocksError("ERR_ADMISSION", text);
}

/** Remembers nonces until their tokens end, so that a token is taken once. */
export class NonceCache {
  readonly #limit: number;
  readonly #expiry = new Map<string, number>();

  /** Beyond `limit` live nonces every token is refused: forgetting one would admit its replay. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether this is the first time; from now on it is not. */
  take({ keyId, nonce, expiresAt }: Admitted, nowMs: number): boolean {
    const key = `${keyId}.${nonce}`;
    if (this.#expiry.size >= this.#limit) this.#forget(nowMs);
    if (this.#expiry.has(key) || this.#expiry.size >= this.#limit) return false;
    this.#expiry.set(key, expiresAt);
    return true;
  }

  #forget(nowMs: number): void {
    for (const [key, expiresAt] of this.#expiry) if (expiresAt < nowMs) this.#expiry.delete(key);
  }
}

/** The token of an `Authorization` header (RFC 6750 section 2.1); "" when there is none. */
export function bearerOf(authorization: string | null | undefined): string {
  return /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1] ?? "";
}

/** What the token of a request to `url` is bound to. */
export function placeOf(url: URL): Place {
  return { host: url.hostname.toLowerCase(), path: url.pathname };
}

function signedBytes({ host, path }: Place, signed: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`edgesocks admission 1\n${host}\n${path}\n${signed}`);
}

function importKey(secret: string): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, [
    "sign",
    "verify",
  ]);
}

function encodeBase64Url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
