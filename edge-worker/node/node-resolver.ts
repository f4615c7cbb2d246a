import { lookup, reverse } from "node:dns/promises";
import { type Address, parseAddress } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";
import type { Policy } from "../policy/policy.ts";
import { failureOf } from "./node-failure.ts";

/**
 * RESOLVE by this machine's own resolver: the first address that the policy allows. @throws
 * StreamError, "denied" when it allows none
 */
export async function resolveName(name: Address, policy: Policy): Promise<Address> {
  const found = await lookup(name.host, { all: true, verbatim: true }).catch(fail);
  let refusal: unknown = new StreamError("name-not-found", "Cannot resolve: it has no address");
  for (const { address } of found) {
    const candidate = parseAddress(address, name.port);
    try {
      policy(candidate, name.host);
      return candidate;
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

/** RESOLVE_PTR by this machine's own resolver. @throws StreamError */
export async function reverseAddress(address: Address): Promise<Address> {
  const [name = ""] = await reverse(address.host).catch(fail);
  return parseAddress(name, 0);
}

function fail(cause: unknown): never {
  throw failureOf("resolve", cause);
}
