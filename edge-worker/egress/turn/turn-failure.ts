import { type FailureReason, StreamError } from "../../../protocol/errors.ts";

/** Error codes of RFC 8489 section 14.8, RFC 8656 section 19 and RFC 6062 section 6.3. */
const reasonByCode: Readonly<Record<number, { reason: FailureReason; why: string }>> = {
  300: { reason: "host-unreachable", why: "it names another server" },
  401: { reason: "general", why: "it refuses the user name or password" },
  403: { reason: "denied", why: "it forbids that" },
  438: { reason: "general", why: "it takes no nonce of its own" },
  440: { reason: "address-unsupported", why: "it has no such address family" },
  441: { reason: "general", why: "it refuses the user name or password" },
  442: { reason: "command-unsupported", why: "it does not relay TCP" },
  443: { reason: "address-unsupported", why: "the peer has another address family" },
  447: { reason: "host-unreachable", why: "the peer's connection was not there any more" },
  486: { reason: "quota-exceeded", why: "the user has all allocations that they may have" },
  508: { reason: "quota-exceeded", why: "it has no port left" },
};

/** The StreamError for what a TURN server answered when we tried to `do` something ("relay", "bind"). */
export function turnFailure(what: string, code: number): StreamError {
  const { reason, why } = reasonByCode[code] ?? { reason: "general", why: `it answered ${code}` };
  return new StreamError(reason, `Cannot ${what} at the TURN server: ${why}`);
}
