/** What a joining carrier gets: its session, and the token for the next one. */
export interface Redeemed<Session, Carrier> {
  readonly session: Session;
  readonly token: Uint8Array;
  /** Who has joined by the same token before. */
  readonly rival: Carrier | undefined;
}

interface Holder<Session, Carrier> {
  readonly session: Session;
  readonly keyId: string;
  /** The token that was used last: good until its successor is used, whose HELLO may be lost. */
  used: string;
  usedBy: Carrier | undefined;
  next: Uint8Array;
}

const TOKEN_LENGTH = 16;

/**
 * The tokens by which carriers join sessions (PROTOCOL.md section 10). Each is good for the key that
 * the session began with, and is replaced by each use.
 */
export class SessionTokens<Session, Carrier> {
  readonly #holders = new Map<string, Holder<Session, Carrier>>();
  readonly #bySession = new Map<Session, Holder<Session, Carrier>>();

  /** The first token of a session. */
  begin(session: Session, keyId: string): Uint8Array {
    const next = newToken();
    const holder = { session, keyId, used: "", usedBy: undefined, next };
    this.#holders.set(hexOf(next), holder);
    this.#bySession.set(session, holder);
    return next;
  }

  /** The session of a token; undefined when it is unknown, used up, or of another key. */
  redeem(
    token: Uint8Array,
    keyId: string,
    carrier: Carrier,
  ): Redeemed<Session, Carrier> | undefined {
    const word = hexOf(token);
    const holder = this.#holders.get(word);
    if (!holder || holder.keyId !== keyId) return undefined;
    const rival = word === holder.used ? holder.usedBy : undefined;
    holder.usedBy = carrier;
    if (word !== holder.used) {
      this.#holders.delete(holder.used);
      holder.used = word;
      holder.next = newToken();
      this.#holders.set(hexOf(holder.next), holder);
    }
    return { session: holder.session, token: holder.next, rival };
  }

  /** Forgets a session. */
  end(session: Session): void {
    const holder = this.#bySession.get(session);
    if (!holder) return;
    this.#bySession.delete(session);
    this.#holders.delete(holder.used);
    this.#holders.delete(hexOf(holder.next));
  }
}

function newToken(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(TOKEN_LENGTH));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
