import type { Carrier, CarrierEvents } from "../../protocol/carrier.ts";
import type { Clock } from "../../protocol/clock.ts";

export type Open = (events: CarrierEvents) => Carrier;

/** A WebSocket without a network: two ends, messages in order, delivered in a later turn. */
export interface CarrierPair {
  readonly left: Open;
  readonly right: Open;
  /** Messages sent by each end so far. */
  readonly sent: { readonly left: Uint8Array[]; readonly right: Uint8Array[] };
  /** Ends both without a close handshake, as a lost network does. */
  cut(): void;
  /** From now on messages vanish, and nobody is told. */
  blackHole(): void;
}

class End implements Carrier {
  readonly sent: Uint8Array[] = [];
  readonly #clock: Clock;
  readonly #events: () => CarrierEvents | undefined;
  readonly #close: (code: number, reason: string) => void;
  readonly #delivers: () => boolean;
  readonly #delayMs: () => number;

  constructor(
    clock: Clock,
    delayMs: () => number,
    peer: () => CarrierEvents | undefined,
    close: (code: number, reason: string) => void,
    delivers: () => boolean,
  ) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#events = peer;
    this.#close = close;
    this.#delivers = delivers;
  }

  send(message: Uint8Array<ArrayBuffer>, done: () => void): void {
    // Copied, as a network does: the sender may use its memory again at once.
    const copy = message.slice();
    message.fill(0xee);
    done();
    this.sent.push(copy);
    if (!this.#delivers()) return;
    const arrive = (): void => {
      if (!this.#delivers()) return;
      // Overwritten, as a platform does that uses its memory for the next message.
      const given = copy.slice();
      this.#events()?.message(given);
      given.fill(0xdd);
    };
    const delayMs = this.#delayMs();
    if (delayMs > 0) this.#clock.after(delayMs, arrive);
    else this.#clock.defer(arrive);
  }

  close(code: number, reason: string): void {
    this.#clock.defer(() => this.#close(code, reason));
  }
}

/** `delayMs`: how long a message is under way. */
export function carrierPair(clock: Clock, delayMs: () => number = () => 0): CarrierPair {
  let left: CarrierEvents | undefined;
  let right: CarrierEvents | undefined;
  let state: "open" | "silent" | "closed" = "open";
  const close = (code: number, reason: string): void => {
    if (state === "closed") return;
    state = "closed";
    left?.closed(code, reason);
    right?.closed(code, reason);
  };
  const delivers = (): boolean => state === "open";
  const leftEnd = new End(clock, delayMs, () => right, close, delivers);
  const rightEnd = new End(clock, delayMs, () => left, close, delivers);
  return {
    left: (events) => {
      left = events;
      return leftEnd;
    },
    right: (events) => {
      right = events;
      return rightEnd;
    },
    sent: { left: leftEnd.sent, right: rightEnd.sent },
    cut: () => close(1006, ""),
    blackHole: () => {
      state = "silent";
    },
  };
}
