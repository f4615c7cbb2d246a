const encoder = new TextEncoder();

/** Who may use a listener. */
export interface Users {
  /** Whether a name and password are wanted at all. */
  readonly isRequired: boolean;
  /** Compares in constant time, for unknown names too. */
  readonly verify: (name: string, password: Uint8Array) => boolean;
}

/** Users from `name → password`; an empty map lets everybody in. */
export function createUsers(passwords: ReadonlyMap<string, string>): Users {
  const expected = new Map([...passwords].map(([name, text]) => [name, encoder.encode(text)]));
  return {
    isRequired: passwords.size > 0,
    verify: (name, password) => {
      const wanted = expected.get(name);
      // A missing user costs the same comparison as a wrong password.
      const isEqual = equalBytes(wanted ?? new Uint8Array(1), password);
      return wanted !== undefined && isEqual;
    },
  };
}

/** Looks at every byte of `given`, whatever the first difference is. */
function equalBytes(wanted: Uint8Array, given: Uint8Array): boolean {
  let difference = wanted.length ^ given.length;
  for (let i = 0; i < given.length; i++) {
    difference |= (wanted[i % wanted.length] ?? 0) ^ (given[i] ?? 0);
  }
  return difference === 0;
}
