import { GoAwayReason } from "./wire.ts";

/**
 * Why a stream could not be opened or ended early. These words cross the wire (as numbers, see
 * wire.ts) and become a SOCKS or HTTP reply in failure.ts.
 */
export type FailureReason =
  | "general"
  | "connection-refused"
  | "host-unreachable"
  | "network-unreachable"
  | "name-not-found"
  | "timed-out"
  | "denied"
  | "command-unsupported"
  | "address-unsupported"
  | "quota-exceeded"
  | "edge-unavailable"
  | "connection-reset"
  | "cancelled"
  | "platform-blocked";

/** Why something that is not a stream failed. Match on this; messages are for people. */
export type ErrorCode =
  | "ERR_ADDRESS"
  | "ERR_ADMISSION"
  | "ERR_CARRIER_LOST"
  | "ERR_CONFIG"
  | "ERR_CREDIT_EXCEEDED"
  | "ERR_DATA_AFTER_FIN"
  | "ERR_DEPLOY"
  | "ERR_FIN_OFFSET"
  | "ERR_FRAME_CUT"
  | "ERR_FRAME_FIELD"
  | "ERR_FRAME_LENGTH"
  | "ERR_FRAME_STATE"
  | "ERR_FRAME_TYPE"
  | "ERR_HANDSHAKE"
  | "ERR_HANDSHAKE_CROWDED"
  | "ERR_HANDSHAKE_EOF"
  | "ERR_HANDSHAKE_TIMEOUT"
  | "ERR_MESSAGE_LENGTH"
  | "ERR_NO_SESSION"
  | "ERR_PEER_GOAWAY"
  | "ERR_STREAM_ID"
  | "ERR_TOO_MANY_STREAMS"
  | "ERR_VERSION"
  | "ERR_WRITE_AFTER_END";

/** Base of all errors raised on purpose. The class says what dies, `code` says why. */
export class EdgesocksError extends Error {
  override readonly name: string = "EdgesocksError";
  readonly code: ErrorCode | FailureReason;

  constructor(code: ErrorCode | FailureReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The process cannot start, or a running one keeps its old configuration. */
export class ConfigError extends EdgesocksError {
  override readonly name = "ConfigError";

  constructor(message: string, options?: ErrorOptions) {
    super("ERR_CONFIG", message, options);
  }
}

/** The peer broke PROTOCOL.md: its carrier dies, with the streams on it. */
export class ProtocolError extends EdgesocksError {
  override readonly name = "ProtocolError";
  readonly goAway: GoAwayReason;

  constructor(
    code: ErrorCode,
    message: string,
    options?: ErrorOptions & { readonly goAway?: GoAwayReason },
  ) {
    super(code, message, options);
    this.goAway = options?.goAway ?? GoAwayReason.ProtocolError;
  }
}

/** A carrier ended or cannot be had; nobody broke the protocol. */
export class CarrierError extends EdgesocksError {
  override readonly name = "CarrierError";
}

/** One stream dies, its carrier lives. */
export class StreamError extends EdgesocksError {
  override readonly name = "StreamError";
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(reason, message, options);
    this.reason = reason;
  }
}

/** A local client broke its handshake (SOCKS or HTTP): its connection dies, nothing else. */
export class HandshakeError extends EdgesocksError {
  override readonly name = "HandshakeError";
}

/** The failure reason an error stands for: its own when it has one, else `fallback`. */
export function reasonOf(error: unknown, fallback: FailureReason = "general"): FailureReason {
  return error instanceof StreamError ? error.reason : fallback;
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
