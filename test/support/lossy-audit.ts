import type { Hello } from "../../protocol/hello.ts";
import type { FrameJson } from "./frame-json.ts";
import type { LossyCarrier } from "./lossy-session.ts";
import { decodeNaively } from "./naive-decoder.ts";

/** Looks at what was sent on each carrier, with arithmetic of its own: what was in flight at once. */
export class LossyAudit {
  /** Rules that were broken, in words. Empty is good. */
  readonly faults: string[] = [];
  messageCount = 0;
  readonly #windows: { readonly up: number; readonly down: number };

  constructor(agentHello: Hello, edgeHello: Hello) {
    this.#windows = { up: edgeHello.carrierWindow, down: agentHello.carrierWindow };
  }

  /** Reads all that one carrier has carried. */
  read(number: number, carrier: LossyCarrier | undefined): void {
    if (!carrier) return;
    const acked = { up: lastAckIn(carrier.sent.down), down: lastAckIn(carrier.sent.up) };
    for (const way of ["up", "down"] as const) {
      const frames = carrier.sent[way].flatMap((message) => {
        this.messageCount++;
        const decoded = decodeNaively(message);
        if (!decoded) this.faults.push(`${number} ${way}: a message that cannot be read`);
        return decoded ?? [];
      });
      const payload = sum(frames.map(payloadOf));
      const session = frames.filter(({ type }) => !CARRIER_FRAMES.includes(type)).length;
      if (payload > acked[way].received + this.#windows[way]) {
        this.faults.push(`${number} ${way}: ${payload} bytes beyond the window`);
      }
      if (acked[way].frames > session) this.faults.push(`${number} ${way}: an ACK of the unsent`);
    }
  }
}

const CARRIER_FRAMES = ["Hello", "Ping", "Pong", "GoAway", "Resume", "Ack"];

function payloadOf({ type, bytes }: FrameJson): number {
  return type === "Data" ? String(bytes).length / 2 : 0;
}

function lastAckIn(messages: readonly Uint8Array[]): { received: number; frames: number } {
  const acks = messages
    .flatMap((message) => decodeNaively(message) ?? [])
    .filter(({ type }) => type === "Ack");
  return {
    received: Math.max(0, ...acks.map(({ received }) => Number(received))),
    frames: Math.max(0, ...acks.map(({ frames }) => Number(frames))),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
