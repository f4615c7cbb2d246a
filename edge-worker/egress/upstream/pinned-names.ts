import type { Address } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import type { Policy } from "../../policy/policy.ts";
import type { Egress } from "../egress.ts";

/** Who resolves the names of targets that go by an upstream. */
export type Resolving = "here" | "upstream";

/**
 * An upstream that is asked for the very address which has passed the policy, where names are
 * resolved here: what it has within its reach may be more than an agent should. Otherwise names go
 * as they are, but for those that only a rule about addresses decides about.
 */
export function withPinnedNames(
  egress: Egress,
  resolve: Egress["resolve"],
  resolving: Resolving,
): Egress {
  const pinned = (target: Address, policy: Policy): Promise<Address> | Address => {
    const isLeft = resolving === "upstream" && policy(target) !== "open";
    return target.kind !== "name" || isLeft ? target : pin(target, policy, resolve);
  };
  const { listen } = egress;
  return {
    ...egress,
    connect: async (target, policy, signal, caller) => {
      return egress.connect(await pinned(target, policy), policy, signal, caller);
    },
    ...(listen && {
      listen: async (peer, policy, signal, latest) =>
        listen(await pinned(peer, policy), policy, signal, latest),
    }),
  };
}

async function pin(target: Address, policy: Policy, resolve: Egress["resolve"]): Promise<Address> {
  if (!resolve) throw new StreamError("denied", "Cannot connect: the name cannot be resolved here");
  const address = { ...(await resolve(target, policy)), port: target.port };
  // Once more, as a resolver need not have looked at the port.
  policy(address, target.host);
  return address;
}
