import type { Address } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";
import { isLocalName, specialRangeOf } from "./special-ranges.ts";

/** May a stream go to this address? Throws StreamError "denied" when it may not. */
export type Policy = (address: Address) => void;

export interface PolicySettings {
  /** Lets private, loopback and other special-purpose targets through. */
  readonly allowPrivate: boolean;
}

/** Refused everywhere: an open way to port 25 makes an edge a source of spam. */
const SMTP_PORT = 25;

/**
 * The policy of an edge. It is asked about the target as the agent named it and, where the edge
 * resolves names itself, again about each address before it is dialled.
 */
export function createPolicy({ allowPrivate }: PolicySettings): Policy {
  return (address) => {
    if (address.port === SMTP_PORT) throw denied("port 25 is closed here");
    if (allowPrivate) return;
    const range = specialRangeOf(address);
    if (range !== undefined) throw denied(`the address is special-purpose (${range})`);
    if (address.kind === "name" && isLocalName(address.host)) throw denied("the name is local");
  };
}

function denied(why: string): StreamError {
  return new StreamError("denied", `Cannot connect: ${why}`);
}
