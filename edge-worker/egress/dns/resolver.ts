import ipaddr from "ipaddr.js";
import { type Address, parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import type { Policy } from "../../policy/policy.ts";
import type { NameCheck } from "../diagnosis.ts";
import type { NameSource, Records } from "./name-source.ts";

/** What an edge wants to know of names: for RESOLVE, for its dials, and for its datagrams. */
export interface Resolver {
  /** The addresses that `policy` lets through, with the port of `name`. @throws StreamError when there are none */
  readonly resolveAll: (name: Address, policy: Policy) => Promise<readonly [Address, ...Address[]]>;
  /** The first of them. */
  readonly resolve: (name: Address, policy: Policy) => Promise<Address>;
  /** A name of an address (PTR). @throws StreamError */
  readonly reverse: (address: Address) => Promise<Address>;
  readonly nameCheck: NameCheck;
}

export function createResolver(source: NameSource): Resolver {
  const resolveAll: Resolver["resolveAll"] = async (name, policy) => {
    const found = addressesOf(await source.addressesOf(name.host), name.port);
    const refusals: unknown[] = [];
    const [first, ...others] = found.filter((address) => {
      try {
        policy(address, name.host);
        return true;
      } catch (refusal) {
        refusals.push(refusal);
        return false;
      }
    });
    if (!first) throw refusals[0] ?? notFound();
    return [first, ...others];
  };
  return {
    resolveAll,
    resolve: async (name, policy) => (await resolveAll(name, policy))[0],
    reverse: async ({ host }) => {
      const [name] = (await source.namesOf(host)).data;
      if (name === undefined) throw notFound();
      return parseAddress(name, 0);
    },
    nameCheck: async (name) => {
      try {
        return addressesOf(await source.addressesOf(name), 0);
      } catch {
        // Nobody could say, and a diagnosis goes without.
        return undefined;
      }
    },
  };
}

/** What is no address is passed over. */
function addressesOf({ data }: Records, port: number): Address[] {
  return data.filter((text) => ipaddr.isValid(text)).map((text) => parseAddress(text, port));
}

function notFound(): StreamError {
  return new StreamError("name-not-found", "Cannot resolve: there is no such name");
}
