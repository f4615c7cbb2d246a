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

export const edgeLimits: EdgeLimits = {
  streamWindow: 262_144,
  sessionWindow: 33_554_432,
  carrierWindow: 1_048_576,
  maxStreams: 4096,
  // More can be had once the credit of a lost carrier's bytes is settled with its session.
  maxCarriers: 1,
};

/** What stays the same in every HELLO of an edge. */
export function helloOf(
  limits: EdgeLimits,
  capabilities: number,
  runtime: string,
  place: string,
): Omit<Hello, "session"> {
  return { ...emptyHello, ...limits, capabilities, runtime, place };
}
