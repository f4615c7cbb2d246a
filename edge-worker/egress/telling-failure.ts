import { type FailureReason, StreamError } from "../../protocol/errors.ts";

/**
 * What tells most of a target first: somebody there answered; nobody did; the policy keeps us from
 * it; there is no way to it; there is no such name. A machine without IPv6 fails at once for every
 * IPv6 address, which says nothing of the target when its IPv4 address refused.
 */
const ORDER: readonly FailureReason[] = [
  "connection-refused",
  "connection-reset",
  "timed-out",
  "denied",
  "host-unreachable",
  "network-unreachable",
  "general",
  "name-not-found",
];

/** Of the failures of a name's lookups and addresses, the one to tell. */
export function tellingFailure(failures: readonly unknown[]): unknown {
  const rankOf = (failure: unknown): number => {
    const rank = failure instanceof StreamError ? ORDER.indexOf(failure.reason) : -1;
    return rank === -1 ? ORDER.length : rank;
  };
  const [first] = failures.toSorted((a, b) => rankOf(a) - rankOf(b));
  return first ?? new StreamError("name-not-found", "Cannot connect: the name has no address");
}
