import type { Address } from "../../protocol/address.ts";
import type { FailureReason } from "../../protocol/errors.ts";

/** What a client asked for, whatever language it spoke. */
export interface ClientRequest {
  /** One of `Command`, or a number to answer with "command-unsupported". */
  readonly command: number;
  readonly address: Address;
  /** Who asks; undefined when nobody had to say. */
  readonly user: string | undefined;
  /** How this client is answered. */
  readonly replies: Replies;
}

/** The answers of one proxy protocol. */
export interface Replies {
  readonly success: (bound: Address) => Uint8Array;
  readonly failure: (reason: FailureReason) => Uint8Array;
}
