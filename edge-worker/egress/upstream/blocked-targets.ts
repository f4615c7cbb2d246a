import type { Address } from "../../../protocol/address.ts";
import type { Clock } from "../../../protocol/clock.ts";

/** What a platform cannot connect to, and how to find out about a name. */
export interface BlockedOptions {
  readonly clock: Clock;
  /** For people, such as "in Cloudflare's own ranges". */
  readonly what: string;
  readonly isBlocked: (host: string) => boolean;
  /** The addresses of a name; empty when they could not be had. */
  readonly addressesOf: (name: string) => Promise<readonly string[]>;
}

/** Names that are remembered, the longest known going first. */
const MAX_NAMES = 1024;
/** A name may move to another address. */
const MEMORY_MS = 300_000;

/**
 * The targets that a platform cannot connect to. Where it resolves names itself, that a name is
 * one of them is found out after a failure, and remembered for some minutes.
 */
export class BlockedTargets {
  readonly #options: BlockedOptions;
  /** When each name is to be forgotten. */
  readonly #names = new Map<string, number>();

  constructor(options: BlockedOptions) {
    this.#options = options;
  }

  get what(): string {
    return this.#options.what;
  }

  /** Whether the target is known to be blocked, without asking anybody. */
  has({ kind, host }: Address): boolean {
    if (kind !== "name") return this.#options.isBlocked(host);
    const until = this.#names.get(host);
    if (until === undefined) return false;
    if (this.#options.clock.now() < until) return true;
    this.#names.delete(host);
    return false;
  }

  /** Whether a target that could not be connected to is blocked. Never rejects. */
  async learn(target: Address): Promise<boolean> {
    const { clock, isBlocked, addressesOf } = this.#options;
    if (target.kind !== "name" || this.has(target)) return this.has(target);
    const addresses = await addressesOf(target.host);
    if (!addresses.some(isBlocked)) return false;
    const [oldest] = this.#names.keys();
    if (oldest !== undefined && this.#names.size >= MAX_NAMES) this.#names.delete(oldest);
    this.#names.set(target.host, clock.now() + MEMORY_MS);
    return true;
  }
}
