import type { Address } from "../../protocol/address.ts";
import { formatAddress } from "../../protocol/address.ts";
import type { Cancel, Clock } from "../../protocol/clock.ts";
import type { UdpRequest } from "./udp-header.ts";

/** RFC 1928 section 7: the reassembly timer "must be no less than 5 seconds". */
const TIMEOUT_MS = 5000;
/** The largest sum of fragments of one datagram. */
const MAX_BYTES = 65_536;
/** Set in FRAG of the last fragment; the rest of it is the position, 1 to 127. */
const LAST = 0x80;

/** A datagram that is whole. */
export interface WholeDatagram {
  readonly address: Address;
  readonly bytes: Uint8Array;
}

/**
 * The reassembly queue of one association (RFC 1928 section 7). Fragments come in order; one that
 * does not, another address, too many bytes or 5 s abandon what was gathered, and a first fragment
 * begins anew.
 */
export class Fragments {
  readonly #clock: Clock;
  #address: Address | undefined;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #cancelTimer: Cancel = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
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
    this.#cancelTimer = this.#clock.after(TIMEOUT_MS, () => this.abandon());
  }

  #accepts(position: number, address: Address, bytes: Uint8Array): boolean {
    const isNext = position === this.#chunks.length + 1;
    const isSame = this.#address && formatAddress(this.#address) === formatAddress(address);
    return isNext && isSame === true && this.#bytes + bytes.length <= MAX_BYTES;
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
