import { emptyHello, type Hello } from "../protocol/hello.ts";

/** What one session may cost an edge; all of it is in the edge's HELLO. */
export interface EdgeLimits {
  /** Bytes a stream's target may leave unread here. */
  readonly streamWindow: number;
  /** Bytes all streams of a session may leave unread here. */
  readonly sessionWindow: number;
  /** Bytes in flight from the agent on one carrier. */
  readonly carrierWindow: number;
  readonly maxStreams: number;
  readonly maxCarriers: number;
}

/** How long and in what memory an edge keeps a session that has lost its last carrier. */
export interface Resumption {
  /** Seconds; 0 when a session ends with its carrier. */
  readonly resumeWindow: number;
  /** Bytes: those that nobody has read yet, and those that may have to be sent again. */
  readonly resumeMemory: number;
}

export const resumptionDefaults: Resumption = { resumeWindow: 60, resumeMemory: 33_554_432 };
/** What a plain Worker does: nothing of it outlives its WebSocket. */
export const noResumption: Resumption = { resumeWindow: 0, resumeMemory: 0 };

export const edgeLimits: EdgeLimits = {
  streamWindow: 393_216,
  sessionWindow: 33_554_432,
  carrierWindow: 16_777_216,
  maxStreams: 4096,
  maxCarriers: 4,
};

/**
 * On a machine of one's own there is more memory than in an isolate at Cloudflare. A stream on which
 * nothing moves takes about 8 KiB of a process of Node, and 60 of workerd.
 */
export const processLimits: EdgeLimits = { ...edgeLimits, maxStreams: 16_384 };

/** What one carrier may use up before the agent hands it over; 0: without end. */
export interface CarrierBudget {
  readonly maxOpens: number;
  /** Milliseconds. */
  readonly maxAge: number;
  /** Payload, both ways. */
  readonly maxBytes: number;
}

/** Where a message is served by a process, or is an event of its own, nothing is used up. */
export const endlessBudget: CarrierBudget = { maxOpens: 0, maxAge: 0, maxBytes: 0 };

/** Of this, a carrier may have a quarter in flight while others are busy. */
const MEMORY_PER_CARRIER = 2_097_152;

/** What stays the same in every HELLO of an edge. */
export function helloOf(
  limits: EdgeLimits,
  { resumeWindow, resumeMemory }: Resumption,
  capabilities: number,
  runtime: string,
  place: string,
  budget: CarrierBudget = endlessBudget,
): Omit<Hello, "session"> {
  // Carriers share the memory for what they have in flight, and each is sure of a part that is worth
  // having. A session that ends with its carrier has one alone (PROTOCOL.md section 10).
  const keepable = Math.floor(resumeMemory / MEMORY_PER_CARRIER);
  const maxCarriers = resumeWindow === 0 ? 1 : Math.max(1, Math.min(limits.maxCarriers, keepable));
  return {
    ...emptyHello,
    ...limits,
    ...budget,
    maxCarriers,
    resumeWindow,
    capabilities,
    runtime,
    place,
  };
}
