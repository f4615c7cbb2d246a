import {
  hasIntegrity,
  importIntegrityKey,
  withFingerprint,
  withIntegrity,
} from "./stun-integrity.ts";
import {
  type Attribute,
  attributeOf,
  encodeStun,
  StunAttribute,
  StunClass,
  type StunMessage,
} from "./stun-message.ts";
import { decodeErrorCode, decodeText, encodeText } from "./stun-values.ts";
import type { TurnServer } from "./turn-server.ts";

/** RFC 8489 section 14.8. */
const UNAUTHENTICATED = 401;
const STALE_NONCE = 438;

interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly key: CryptoKey;
}

/** The long-term credential mechanism (RFC 8489 section 9.2) on one connection. */
export class TurnCredentials {
  readonly #server: Pick<TurnServer, "username" | "password" | "md5">;
  #challenge: Challenge | undefined;

  constructor(server: Pick<TurnServer, "username" | "password" | "md5">) {
    this.#server = server;
  }

  /** A request, signed once the server has told its realm and nonce. */
  async encodeRequest(
    method: number,
    transactionId: Uint8Array,
    attributes: readonly Attribute[],
  ): Promise<Uint8Array<ArrayBuffer>> {
    const request = { class: StunClass.Request, method, transactionId };
    const challenge = this.#challenge;
    if (!challenge) return withFingerprint(encodeStun({ ...request, attributes }));
    const proof = [
      { type: StunAttribute.Username, value: encodeText(this.#server.username) },
      { type: StunAttribute.Realm, value: encodeText(challenge.realm) },
      { type: StunAttribute.Nonce, value: encodeText(challenge.nonce) },
    ];
    const message = encodeStun({ ...request, attributes: [...attributes, ...proof] });
    return withFingerprint(await withIntegrity(message, challenge.key));
  }

  /** Whether a success response is the server's: unsigned ones are, as long as requests are, too. */
  async isGenuine(bytes: Uint8Array, response: StunMessage): Promise<boolean> {
    return !this.#challenge || hasIntegrity(bytes, response, this.#challenge.key);
  }

  /**
   * Takes what an error response says of realm and nonce. Whether the request is worth another try:
   * it was not signed yet, or signed with a nonce that has become stale.
   */
  async learn(response: StunMessage): Promise<boolean> {
    const code = decodeErrorCode(attributeOf(response, StunAttribute.ErrorCode));
    if (code !== UNAUTHENTICATED && code !== STALE_NONCE) return false;
    if (code === UNAUTHENTICATED && this.#challenge) return false;
    const realm = attributeOf(response, StunAttribute.Realm);
    const nonce = attributeOf(response, StunAttribute.Nonce);
    const known = this.#challenge;
    const realmText = realm ? decodeText(realm) : known?.realm;
    if (realmText === undefined || !nonce) return false;
    const key = known?.realm === realmText ? known.key : await this.#keyFor(realmText);
    this.#challenge = { realm: realmText, nonce: decodeText(nonce), key };
    return true;
  }

  /** RFC 8489 section 9.2.2: MD5(username ":" realm ":" password). */
  async #keyFor(realm: string): Promise<CryptoKey> {
    const { username, password, md5 } = this.#server;
    // RFC 8265 section 4.2: what of the profile OpaqueString changes texts that people use.
    const opaque = password.replaceAll(/\p{Zs}/gu, " ").normalize("NFC");
    const text = `${username}:${realm}:${opaque}`;
    return importIntegrityKey(await md5(new TextEncoder().encode(text)));
  }
}
