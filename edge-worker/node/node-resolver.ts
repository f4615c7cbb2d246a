import { lookup, reverse } from "node:dns/promises";
import { type Address, parseAddress } from "../../protocol/address.ts";
import type { Policy } from "../policy/policy.ts";
import { failureOf } from "./node-failure.ts";

/** RESOLVE by this machine's own resolver. @throws StreamError, "denied" by the policy among others */
export async function resolveName(name: Address, policy: Policy): Promise<Address> {
  const { address } = await lookup(name.host, { verbatim: true }).catch(fail);
  const found = parseAddress(address, name.port);
  policy(found);
  return found;
}

/** RESOLVE_PTR by this machine's own resolver. @throws StreamError */
export async function reverseAddress(address: Address): Promise<Address> {
  const [name = ""] = await reverse(address.host).catch(fail);
  return parseAddress(name, 0);
}

function fail(cause: unknown): never {
  throw failureOf("resolve", cause);
}
