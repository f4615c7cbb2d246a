import { vi } from "vitest";

const methods = ["sign", "verify", "importKey"] as const;

/**
 * Counts what WebCrypto is at work on: its threads finish outside of the event loop's turns, where
 * a fake clock cannot wait for them. Spies last until the mocks of a test are restored.
 */
export class PendingCrypto {
  #pending = 0;

  constructor() {
    for (const method of methods) {
      // From the prototype: the object's own may be the spy of another test.
      const { [method]: found } = Object.getPrototypeOf(crypto.subtle) as SubtleCrypto;
      const real = found.bind(crypto.subtle) as (...args: unknown[]) => Promise<unknown>;
      vi.spyOn(crypto.subtle, method).mockImplementation((async (...args: unknown[]) => {
        this.#pending++;
        try {
          return await real(...args);
        } finally {
          this.#pending--;
        }
      }) as never);
    }
  }

  /** Resolves once it is idle, in a later turn of the event loop. */
  async idle(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.#pending > 0);
  }
}
