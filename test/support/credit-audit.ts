import type { Hello } from "../../protocol/hello.ts";
import type { CarrierPair } from "./carrier-pair.ts";
import type { FrameJson } from "./frame-json.ts";
import { decodeNaively } from "./naive-decoder.ts";

/** What one end has sent, and what the other has allowed it. */
interface Ledger {
  readonly sent: Map<number, number>;
  readonly limits: Map<number, number>;
  readonly ended: Set<number>;
  readonly window: number;
  readonly carrierWindow: number;
  session: number;
  sessionLimit: number;
  /** DATA bytes: all that were sent, and those the far end has not acknowledged. */
  data: number;
  inFlight: number;
  lastOpened: number;
}

/**
 * Watches both ends of a carrier and checks each message against PROTOCOL.md section 6 as it is
 * sent, with arithmetic of its own: a limit counts from the moment the far end has sent it.
 */
export class CreditAudit {
  /** Rules that were broken, in words. Empty is good. */
  readonly faults: string[] = [];
  /** Messages that were checked. */
  messageCount = 0;
  readonly #left: Ledger;
  readonly #right: Ledger;

  /** `leftHello` is what the left end said, and so what bounds the right one. */
  constructor(carriers: CarrierPair, leftHello: Hello, rightHello: Hello) {
    this.#left = ledgerOf(rightHello);
    this.#right = ledgerOf(leftHello);
    watch(carriers.sent.left, (message) => this.#check("left", message));
    watch(carriers.sent.right, (message) => this.#check("right", message));
  }

  #check(side: "left" | "right", message: Uint8Array): void {
    this.messageCount++;
    if (message.length > 1_048_576) this.faults.push(`${side}: a message of ${message.length}`);
    const frames = decodeNaively(message);
    if (!frames) this.faults.push(`${side}: a message that cannot be read`);
    for (const frame of frames ?? []) {
      this.#allow(side === "left" ? this.#right : this.#left, frame);
      this.#spend(side, side === "left" ? this.#left : this.#right, frame);
    }
  }

  /** What `frame` gives to the other end. */
  #allow(other: Ledger, frame: FrameJson): void {
    const { type, streamId, limit, received } = frame as FrameJson & Record<string, number>;
    if (type === "Ack") other.inFlight = Math.min(other.inFlight, other.data - (received ?? 0));
    if (type !== "Credit") return;
    if (streamId === 0) other.sessionLimit = Math.max(other.sessionLimit, limit ?? 0);
    else other.limits.set(streamId ?? 0, Math.max(limitOf(other, streamId ?? 0), limit ?? 0));
  }

  /** What `frame` costs the end that sent it. */
  #spend(side: "left" | "right", ledger: Ledger, frame: FrameJson): void {
    const id = Number(frame["streamId"]);
    if (frame.type === "Open") {
      if (id <= ledger.lastOpened) this.faults.push(`${side}: OPEN ${id} does not climb`);
      ledger.lastOpened = id;
      this.#count(side, ledger, id, String(frame["early"]).length / 2);
    }
    if (frame.type === "Data") {
      const length = String(frame["bytes"]).length / 2;
      this.#count(side, ledger, id, length);
      ledger.inFlight += length;
      ledger.data += length;
      if (ledger.inFlight > ledger.carrierWindow) this.faults.push(`${side}: carrier window`);
    }
    if (frame.type === "Fin") {
      ledger.ended.add(id);
      const offset = ledger.sent.get(id) ?? 0;
      if (frame["finalOffset"] !== offset)
        this.faults.push(`${side}: FIN of ${id} is not at ${offset}`);
    }
  }

  #count(side: string, ledger: Ledger, id: number, bytes: number): void {
    const offset = (ledger.sent.get(id) ?? 0) + bytes;
    ledger.sent.set(id, offset);
    ledger.session += bytes;
    if (offset > limitOf(ledger, id)) this.faults.push(`${side}: stream ${id} beyond its credit`);
    if (ledger.session > ledger.sessionLimit)
      this.faults.push(`${side}: session beyond its credit`);
    if (ledger.ended.has(id)) this.faults.push(`${side}: DATA of ${id} after FIN`);
  }
}

function limitOf(ledger: Ledger, id: number): number {
  return ledger.limits.get(id) ?? ledger.window;
}

function ledgerOf(receiver: Hello): Ledger {
  return {
    sent: new Map(),
    limits: new Map(),
    ended: new Set(),
    window: receiver.streamWindow,
    carrierWindow: receiver.carrierWindow,
    session: 0,
    sessionLimit: receiver.sessionWindow,
    data: 0,
    inFlight: 0,
    lastOpened: 0,
  };
}

/** Calls back for what is pushed from now on: the carriers' own record is where both ends meet. */
function watch(messages: Uint8Array[], onMessage: (message: Uint8Array) => void): void {
  messages.push = (...added) => {
    for (const message of added) onMessage(message);
    return Array.prototype.push.apply(messages, added);
  };
}
