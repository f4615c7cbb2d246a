import type { Hello } from "../../protocol/hello.ts";
import type { FrameJson } from "./frame-json.ts";
import type { LossyCarrier } from "./lossy-session.ts";
import { decodeNaively } from "./naive-decoder.ts";

/** How often OPENED and FAILED of one stream were sent, and how often they have arrived. */
export interface AnswerCount {
  sent: number;
  arrived: number;
}

/** Looks at what was sent on each carrier, with arithmetic of its own: what was in flight at once. */
export class LossyAudit {
  /** Rules that were broken, in words. Empty is good. */
  readonly faults: string[] = [];
  messageCount = 0;
  readonly #windows: { readonly up: number; readonly down: number };
  readonly #answers = new Map<unknown, AnswerCount>();

  constructor(agentHello: Hello, edgeHello: Hello) {
    this.#windows = { up: edgeHello.carrierWindow, down: agentHello.carrierWindow };
  }

  /** Reads all that one carrier has carried. */
  read(number: number, carrier: LossyCarrier | undefined): void {
    if (!carrier) return;
    const frames = {
      up: this.#read(number, carrier, "up"),
      down: this.#read(number, carrier, "down"),
    };
    const acked = { up: lastAckIn(frames.down), down: lastAckIn(frames.up) };
    for (const way of ["up", "down"] as const) {
      const payload = sum(frames[way].map(payloadOf));
      const session = frames[way].filter(({ type }) => !CARRIER_FRAMES.includes(type)).length;
      if (payload > acked[way].received + this.#windows[way]) {
        this.faults.push(`${number} ${way}: ${payload} bytes beyond the window`);
      }
      if (acked[way].frames > session) this.faults.push(`${number} ${way}: an ACK of the unsent`);
    }
  }

  /** The answers to an OPEN, on all carriers that were read. */
  answersTo(streamId: unknown): AnswerCount {
    const known = this.#answers.get(streamId);
    if (known) return known;
    const count = { sent: 0, arrived: 0 };
    this.#answers.set(streamId, count);
    return count;
  }

  #read(number: number, carrier: LossyCarrier, way: "up" | "down"): FrameJson[] {
    return carrier.sent[way].flatMap((message) => {
      this.messageCount++;
      const frames = decodeNaively(message);
      if (!frames) this.faults.push(`${number} ${way}: a message that cannot be read`);
      for (const { type, streamId } of frames ?? []) {
        if (!ANSWERS.includes(type)) continue;
        const count = this.answersTo(streamId);
        count.sent++;
        if (carrier.arrived.has(message)) count.arrived++;
      }
      return frames ?? [];
    });
  }
}

const ANSWERS = ["Opened", "Failed"];
const CARRIER_FRAMES = ["Hello", "Ping", "Pong", "GoAway", "Resume", "Ack"];

function payloadOf({ type, bytes }: FrameJson): number {
  return type === "Data" ? String(bytes).length / 2 : 0;
}

function lastAckIn(frames: readonly FrameJson[]): { received: number; frames: number } {
  const acks = frames.filter(({ type }) => type === "Ack");
  return {
    received: Math.max(0, ...acks.map(({ received }) => Number(received))),
    frames: Math.max(0, ...acks.map(({ frames }) => Number(frames))),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
