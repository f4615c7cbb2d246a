import type { FailureReason } from "./errors.ts";
import { ReasonNumber } from "./wire.ts";

/** What a local client is told, in each protocol it may speak. */
export interface Reply {
  /** REP of RFC 1928 section 6. */
  readonly socks5: number;
  /** CD of the SOCKS4 memo: 91 is its only word for "no" that is not about identd. */
  readonly socks4: number;
  /** Status of RFC 9110 section 15 for a CONNECT that failed. */
  readonly http: number;
}

/** PROTOCOL.md section 8, as a total table: a new reason does not compile without its replies. */
export const replyTo: Readonly<Record<FailureReason, Reply>> = {
  general: { socks5: 0x01, socks4: 91, http: 502 },
  "connection-refused": { socks5: 0x05, socks4: 91, http: 502 },
  "host-unreachable": { socks5: 0x04, socks4: 91, http: 502 },
  "network-unreachable": { socks5: 0x03, socks4: 91, http: 502 },
  "name-not-found": { socks5: 0x04, socks4: 91, http: 502 },
  "timed-out": { socks5: 0x06, socks4: 91, http: 504 },
  denied: { socks5: 0x02, socks4: 91, http: 403 },
  "command-unsupported": { socks5: 0x07, socks4: 91, http: 501 },
  "address-unsupported": { socks5: 0x08, socks4: 91, http: 400 },
  "quota-exceeded": { socks5: 0x02, socks4: 91, http: 429 },
  "edge-unavailable": { socks5: 0x01, socks4: 91, http: 503 },
  "connection-reset": { socks5: 0x01, socks4: 91, http: 502 },
  cancelled: { socks5: 0x01, socks4: 91, http: 502 },
  "platform-blocked": { socks5: 0x04, socks4: 91, http: 502 },
};

const byNumber = new Map<number, FailureReason>(
  (Object.keys(ReasonNumber) as FailureReason[]).map((reason) => [ReasonNumber[reason], reason]),
);

export function encodeReason(reason: FailureReason): number {
  return ReasonNumber[reason];
}

/** The reason of a number; one that a later version added reads as "general". */
export function decodeReason(number: number): FailureReason {
  return byNumber.get(number) ?? "general";
}
