import type { Address } from "../../../protocol/address.ts";
import type { Protocol } from "../../policy/rule.ts";
import type { Egress } from "../egress.ts";

/** A way out behind the edge, and what goes there. */
export interface Upstream {
  /** A member of this that is absent is what this kind of upstream cannot do. */
  readonly egress: Egress;
  /** "always": what it takes goes nowhere else. "fallback": only what could not be reached directly. */
  readonly mode: "always" | "fallback";
  /** Whether it takes nothing but targets that the platform blocks. */
  readonly isForBlocked: boolean;
  /** `user` is the key id of the agent. */
  readonly takes: (target: Address, protocol: Protocol, user: string) => boolean;
}
