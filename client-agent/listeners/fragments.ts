import type { Address } from "../../protocol/address.ts";
import { formatAddress } from "../../protocol/address.ts";
import type { Cancel, Clock } from "../../protocol/clock.ts";
import type { UdpRequest } from "./udp-header.ts";

/** What one association may gather of a datagram that is not whole. */
export interface FragmentLimits {
  readonly maxBytes: number;
  readonly maxCount: number;
  /** RFC 1928 section 7: the reassembly timer "must be no less than 5 seconds". */
  readonly timeoutMs: number;
}

/** Set in FRAG of the last fragment; the rest of it is the position, 1 to 127. */
const LAST = 0x80;

/** A datagram that is whole. */
export interface WholeDatagram {
  readonly address: Address;
  readonly bytes: Uint8Array;
}

/**
 * The reassembly queue of one association (RFC 1928 section 7). Fragments come in order; one that
 * does not, another address, too many of them, too many bytes or the end of their time abandon what
 * was gathered, and a first fragment begins anew.
 */
export class Fragments {
  readonly #clock: Clock;
  readonly #limits: FragmentLimits;
  #address: Address | undefined;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #cancelTimer: Cancel = () => {};

  constructor(clock: Clock, limits: FragmentLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** The datagram that `request` completes, if it does. */
  take({ fragment, address, bytes }: UdpRequest): WholeDatagram | undefined {
    if (fragment === 0) {
      this.abandon();
      return { address, bytes };
    }
    const position = fragment & ~LAST;
    if (position === 1) this.#begin(address);
    if (!this.#accepts(position, address, bytes)) {
      this.abandon();
      return undefined;
    }
    this.#chunks.push(bytes.slice());
    this.#bytes += bytes.length;
    return (fragment & LAST) === 0 ? undefined : this.#finish(address);
  }

  /** Forgets what was gathered. */
  abandon(): void {
    this.#cancelTimer();
    this.#address = undefined;
    this.#chunks = [];
    this.#bytes = 0;
  }

  #begin(address: Address): void {
    this.abandon();
    this.#address = address;
    this.#cancelTimer = this.#clock.after(this.#limits.timeoutMs, () => this.abandon());
  }

  #accepts(position: number, address: Address, bytes: Uint8Array): boolean {
    const { maxBytes, maxCount } = this.#limits;
    const isNext = position === this.#chunks.length + 1 && position <= maxCount;
    const isSame = this.#address && formatAddress(this.#address) === formatAddress(address);
    return isNext && isSame === true && this.#bytes + bytes.length <= maxBytes;
  }

  #finish(address: Address): WholeDatagram {
    const bytes = new Uint8Array(this.#bytes);
    let offset = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    this.abandon();
    return { address, bytes };
  }
}
