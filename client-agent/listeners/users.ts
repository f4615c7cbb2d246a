import { PasswordChecker, type PasswordCrypto, type Verdict } from "./password-checker.ts";
import type { PasswordHash } from "./password-hash.ts";

/** Who may use a listener. */
export interface Users {
  /** Whether a name and password are wanted at all. */
  readonly isRequired: boolean;
  /** Looks at a password, for as long as `signal` has not aborted. An unknown name costs the same. */
  readonly verify: (name: string, password: Uint8Array, signal: AbortSignal) => Promise<Verdict>;
}

/** Users from `name → hash`; an empty map lets everybody in. */
export function createUsers(
  hashes: ReadonlyMap<string, PasswordHash>,
  crypto: PasswordCrypto,
): Users {
  const checker = new PasswordChecker(crypto);
  const names = [...hashes.keys()];
  return {
    isRequired: names.length > 0,
    verify: async (name, password, signal) => {
      const known = hashes.get(name);
      // Users' hashes may differ in cost: a name that is none has the cost of one, always the same.
      const hash = known ?? hashes.get(names[pick(name, names.length)] ?? "");
      if (!hash) return "wrong";
      return checker.check({ name, password, hash, isKnown: known !== undefined }, signal);
    },
  };
  function pick(name: string, count: number): number {
    const fingerprint = crypto.fingerprint(name, new Uint8Array());
    const sum = Array.from(fingerprint).reduce((total, char) => total + char.charCodeAt(0), 0);
    return sum % count;
  }
}

/** What a client is turned away with whose password was not right. */
export const rejectionOf: Readonly<Record<Exclude<Verdict, "right">, string>> = {
  wrong: "Cannot authenticate: wrong user name or password",
  busy: "Cannot authenticate: too many passwords are being checked",
};
