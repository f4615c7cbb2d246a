import { type Address, parseAddress } from "../../protocol/address.ts";
import { HandshakeError } from "../../protocol/errors.ts";
import type { Handshake } from "./handshake.ts";
import type { Replies } from "./request.ts";

/** The canonical form of the host a client named; one that cannot be is answered as not found. */
export function* destination(host: string, port: number, replies: Replies): Handshake<Address> {
  try {
    return parseAddress(host, port);
  } catch (cause) {
    yield { write: replies.failure("name-not-found") };
    // The cause names the host: a target is not for the log.
    const text = "Cannot take the request: its destination is not a host name";
    throw new HandshakeError("ERR_HANDSHAKE", text, { cause });
  }
}
