/** A client that waits; `crowdOut` ends it. */
interface Guest {
  readonly crowdOut: () => void;
}

/**
 * Those whose handshake is under way, up to a limit. One more than that crowds somebody out: of the
 * address that has most of them here, the one that has been here longest. So whoever opens silent
 * connections crowds out their own, and a client that says what it wants is always heard.
 */
export class WaitingRoom {
  readonly #limit: number;
  /** By address, each in the order they came. */
  readonly #guestsByHost = new Map<string, Set<Guest>>();
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Lets somebody from `host` wait, until the function that is returned is called. */
  take(host: string, crowdOut: () => void): () => void {
    if (this.#count >= this.#limit) this.#makeRoom();
    const guests = this.#guestsByHost.get(host) ?? new Set();
    const guest: Guest = { crowdOut };
    guests.add(guest);
    this.#guestsByHost.set(host, guests);
    this.#count++;
    return () => this.#remove(host, guest);
  }

  #makeRoom(): void {
    let largest: readonly [host: string, guests: ReadonlySet<Guest>] | undefined;
    for (const entry of this.#guestsByHost) {
      if (!largest || entry[1].size > largest[1].size) largest = entry;
    }
    if (!largest) return;
    const [host, [oldest]] = largest;
    if (!oldest) return;
    this.#remove(host, oldest);
    oldest.crowdOut();
  }

  #remove(host: string, guest: Guest): void {
    const guests = this.#guestsByHost.get(host);
    if (!guests?.delete(guest)) return;
    this.#count--;
    if (guests.size === 0) this.#guestsByHost.delete(host);
  }
}
