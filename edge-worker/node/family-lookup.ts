import { lookup } from "node:dns/promises";
import { type Address, parseAddress } from "../../protocol/address.ts";
import type { Policy } from "../policy/policy.ts";
import { failureOf } from "./node-failure.ts";

/**
 * The addresses of a name in one family, by this machine's own resolver, less those that the policy
 * refuses. Each family is asked for by itself, as getaddrinfo() for both waits for the slower one.
 *
 * @throws StreamError; "denied" when the policy refuses all that there are
 */
export async function lookupFamily(
  name: Address,
  family: 4 | 6,
  policy: Policy,
): Promise<readonly Address[]> {
  const found = await lookup(name.host, { all: true, family, verbatim: true }).catch(fail);
  const refusals: unknown[] = [];
  const allowed = found.flatMap(({ address: host }) => {
    try {
      const address = parseAddress(host, name.port);
      policy(address, name.host);
      return [address];
    } catch (refusal) {
      refusals.push(refusal);
      return [];
    }
  });
  if (allowed.length === 0 && refusals.length > 0) throw refusals[0];
  return allowed;
}

function fail(cause: unknown): never {
  throw failureOf("connect", cause);
}
