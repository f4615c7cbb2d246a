import type { Address } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";
import type { Policy } from "../policy/policy.ts";
import type { NameCheck } from "./diagnosis.ts";

/** Of a name's addresses, how many are tried at most. */
const MAX_ADDRESSES = 4;

/**
 * What to dial for a target where the platform would resolve its name: the target itself, unless
 * the policy has rules about addresses that may still decide. Then the name is resolved here, and
 * the addresses that pass are dialled themselves: the platform might find others.
 *
 * @throws StreamError; "denied" when the policy refuses all addresses
 */
export async function pinnedAddresses(
  target: Address,
  policy: Policy,
  nameCheck: NameCheck,
): Promise<readonly Address[]> {
  if (target.kind !== "name" || policy(target) !== "open") return [target];
  const found = await nameCheck(target.host);
  if (!found) {
    const text = "Cannot connect: the resolver gave no answer, and a rule asks for the address";
    throw new StreamError("host-unreachable", text);
  }
  const refusals: unknown[] = [];
  const allowed = found
    .map(({ kind, host }): Address => ({ kind, host, port: target.port }))
    .filter((address) => {
      try {
        policy(address, target.host);
        return true;
      } catch (refusal) {
        refusals.push(refusal);
        return false;
      }
    });
  if (allowed.length > 0) return allowed.slice(0, MAX_ADDRESSES);
  throw refusals[0] ?? new StreamError("name-not-found", "Cannot connect: the name does not exist");
}
