import type { Address } from "../../protocol/address.ts";
import { type FailureReason, StreamError } from "../../protocol/errors.ts";
import type { Policy } from "../policy/policy.ts";

/** The addresses of a DNS name, none when it has none; undefined when the resolver could not tell. */
export type NameCheck = (name: string) => Promise<readonly Address[] | undefined>;

/** A dial that failed without a reason. */
export interface FailedDial {
  readonly target: Address;
  /** From its beginning, without the time that it waited for its turn. */
  readonly elapsedMs: number;
  readonly cause: unknown;
}

/** What there is to reason with. */
export interface DiagnosisMeans {
  readonly nameCheck: NameCheck;
  readonly policy: Policy;
  /** False where this machine is known to be without IPv6. */
  readonly hasIpv6: boolean;
}

/**
 * Why a Worker's dial failed. The platform rejects with one message for every reason, so the rest
 * is reasoned out. A name is looked up now, after the failure and never before a success: it may
 * not exist, or stand for addresses that are denied here and that the platform keeps Workers from.
 * A dial that took long ran into silence; IPv6 leads nowhere without IPv6; a quick "no" was a
 * refusal.
 */
export async function diagnose(
  { target, elapsedMs, cause }: FailedDial,
  { nameCheck, policy, hasIpv6 }: DiagnosisMeans,
): Promise<StreamError> {
  const fail = (reason: FailureReason, why: string): StreamError =>
    new StreamError(reason, `Cannot connect: ${why}`, { cause });
  const addresses = target.kind === "name" ? await nameCheck(target.host) : [target];
  if (addresses?.length === 0) return fail("name-not-found", "the name does not exist");
  const name = target.kind === "name" ? target.host : undefined;
  const refusals = addresses?.map((address) =>
    refusalOf({ ...address, port: target.port }, name, policy),
  );
  const [refusal] = refusals ?? [];
  if (refusal && refusals?.every(Boolean)) return refusal;
  if (elapsedMs >= SILENCE_MS) {
    return fail("timed-out", `no answer within ${Math.round(elapsedMs / 1000)} s`);
  }
  if (!hasIpv6 && addresses?.every(({ kind }) => kind === "ipv6")) {
    return fail("network-unreachable", "there is no IPv6 here");
  }
  return fail("connection-refused", "the target refused");
}

/** A refusal takes one round trip; even around the world and back that is far less than this. */
const SILENCE_MS = 5000;

/** Why the policy would not have let this address be dialled; undefined when it would. */
function refusalOf(
  address: Address,
  name: string | undefined,
  policy: Policy,
): StreamError | undefined {
  try {
    policy(address, name);
    return undefined;
  } catch (error) {
    if (error instanceof StreamError) return error;
    throw error;
  }
}
