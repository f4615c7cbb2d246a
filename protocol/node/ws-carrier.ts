import { randomFillSync } from "node:crypto";
import type { Socket } from "node:net";
import { type Carrier, type CarrierEvents, HEAD_ROOM } from "../carrier.ts";
import type { ReadTaker, SocketReader } from "./socket-reader.ts";
import { encodeFrameHeader, MAX_CONTROL_PAYLOAD, Opcode, WebSocketError } from "./ws-frame.ts";
import { WsIntake } from "./ws-intake.ts";
import { applyMask } from "./ws-mask.ts";
import { NO_CODE, type ReceiverEvents, WsReceiver } from "./ws-receiver.ts";

/** Which end of a WebSocket this is, and how a client masks. */
export type WsRole =
  | "server"
  | "client"
  /** Nobody on the way can read what RFC 6455 section 10.3 masks against: see roleTo(). */
  | "client with a zero mask";

/** The end of a WebSocket without a Close frame (RFC 6455 section 7.1.5). */
const ABNORMAL = 1006;
/** How long a peer may take to answer our Close frame before the socket is cut. */
const CLOSE_TIMEOUT_MS = 2000;
const MASK_LENGTH = 4;
/** Random bytes are made for so many masks at once: asking for four costs as much as for thousands. */
const MASK_POOL = 256 * MASK_LENGTH;

const utf8Encoder = new TextEncoder();

/** A Carrier over a socket whose Upgrade is done: the data transfer of RFC 6455. */
export class WsCarrier implements Carrier, ReceiverEvents, ReadTaker {
  readonly #socket: Socket;
  readonly #role: WsRole;
  readonly #events: CarrierEvents;
  readonly #receiver: WsReceiver;
  readonly #intake: WsIntake;
  #hasSentClose = false;
  #isDeaf = false;
  /** How the carrier ended, as far as is known. */
  #code = ABNORMAL;
  #reason = "";
  /** Whether a PONG is under way, and the last ping that came meanwhile. */
  #isAnswering = false;
  #unanswered: Uint8Array | undefined;
  readonly #masks: Uint8Array;
  #masksAt = MASK_POOL;
  #cutTimer: NodeJS.Timeout | undefined;

  constructor(reading: SocketReader, role: WsRole, events: CarrierEvents) {
    this.#socket = reading.socket;
    this.#role = role;
    this.#masks = new Uint8Array(role === "client" ? MASK_POOL : 0);
    this.#events = events;
    this.#receiver = new WsReceiver(role === "server", this);
    this.#intake = new WsIntake(reading.memory.shared, (bytes) => this.#receiver.take(bytes));
    this.#socket.on("error", (error) => (this.#reason ||= error.message));
    this.#socket.on("end", () => this.#socket.end());
    this.#socket.on("close", () => this.#closed());
    // It closed before anybody listened, and will not say so again.
    if (this.#socket.closed) queueMicrotask(() => this.#closed());
    reading.start(this);
  }

  get leavesBytes(): boolean {
    return this.#role !== "client";
  }

  send(message: Uint8Array<ArrayBuffer>, done: () => void): void {
    if (this.#hasSentClose || !this.#socket.writable) return done();
    const hasRoom = message.byteOffset >= HEAD_ROOM;
    this.#write(Opcode.Binary, hasRoom ? message : withHeadRoom(message), done);
  }

  close(code: number, reason: string): void {
    if (this.#hasSentClose) return;
    this.#sendClose(code, reason);
    this.#cutTimer = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
  }

  get room(): Uint8Array {
    return this.#intake.room;
  }

  take(bytes: Uint8Array): boolean {
    if (this.#isDeaf) return true;
    try {
      this.#intake.take(bytes);
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      this.#isDeaf = true;
      this.#code = error.closeCode;
      this.#reason = error.message;
      this.close(error.closeCode, "");
      this.#socket.end();
    }
    return true;
  }

  message(bytes: Uint8Array): void {
    this.#events.message(bytes);
  }

  ping(bytes: Uint8Array): void {
    // One at a time, and the last one in any case (RFC 6455 section 5.5.3): a peer that sends pings
    // and does not read must not fill our memory.
    if (this.#isAnswering) this.#unanswered = bytes.slice();
    else this.#answer(bytes);
  }

  closeReceived(code: number, reason: string): void {
    this.#isDeaf = true;
    this.#code = code;
    this.#reason = reason;
    // The answer has the same code (RFC 6455 section 5.5.1). Then neither has more to say.
    this.close(code, "");
    this.#socket.destroySoon();
  }

  #answer(ping: Uint8Array): void {
    if (this.#hasSentClose || !this.#socket.writable) return;
    this.#isAnswering = true;
    this.#write(Opcode.Pong, withHeadRoom(ping), () => {
      const next = this.#unanswered;
      this.#unanswered = undefined;
      this.#isAnswering = false;
      if (next) this.#answer(next);
    });
  }

  #sendClose(code: number, reason: string): void {
    const text = utf8Encoder.encode(reason).subarray(0, MAX_CONTROL_PAYLOAD - 2);
    const payload = code === NO_CODE ? [] : [code >> 8, code & 0xff, ...text];
    if (this.#socket.writable) this.#write(Opcode.Close, withHeadRoom(payload), () => {});
    this.#hasSentClose = true;
  }

  /** Sends one frame, masks its payload where it lies, and puts its header in front. */
  #write(opcode: Opcode, payload: Uint8Array<ArrayBuffer>, done: () => void): void {
    const mask = this.#newMask();
    if (this.#role === "client" && mask) applyMask(payload, mask);
    const end = payload.byteOffset + payload.length;
    const whole = new Uint8Array(payload.buffer, 0, end);
    const at = encodeFrameHeader(whole, payload.byteOffset, opcode, payload.length, mask);
    // Called with an error too, when the socket has closed: the memory is free either way.
    this.#socket.write(whole.subarray(at), () => done());
  }

  #newMask(): Uint8Array | undefined {
    if (this.#role === "server") return undefined;
    if (this.#role !== "client") return new Uint8Array(MASK_LENGTH);
    // A new one for each frame, and one that nobody can foretell (RFC 6455 section 5.3).
    if (this.#masksAt === MASK_POOL) {
      randomFillSync(this.#masks);
      this.#masksAt = 0;
    }
    return this.#masks.subarray(this.#masksAt, (this.#masksAt += MASK_LENGTH));
  }

  #closed(): void {
    if (this.#cutTimer) clearTimeout(this.#cutTimer);
    // Nobody is there to answer a Close frame: to wait for it would only hold our memory.
    this.#hasSentClose = true;
    this.#events.closed(this.#code, this.#reason);
  }
}

/** A copy, with the room in front that #write() wants. */
function withHeadRoom(bytes: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(HEAD_ROOM + bytes.length);
  copy.set(bytes, HEAD_ROOM);
  return copy.subarray(HEAD_ROOM);
}
