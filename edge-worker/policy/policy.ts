import type { Address } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";
import { isLocalName } from "./local-names.ts";
import { type Fit, fitOf, type Protocol, type Rule, type Subject } from "./rule.ts";
import { specialRangeOf } from "./special-ranges.ts";

/**
 * May a stream go to this address? It is asked about the target as the agent named it and, where
 * the edge resolves names itself, again about each address before that is dialled, along with the
 * name that it came from. "open": a rule about addresses may still decide about this name.
 *
 * @throws StreamError "denied" when it may not
 */
export type Policy = (address: Address, name?: string) => "open" | undefined;

export interface PolicySettings {
  /** Lets private, loopback and other special-purpose targets through. */
  readonly allowPrivate: boolean;
  /** The first that fits decides. */
  readonly rules: readonly Rule[];
}

/** Refused by default: an open way to port 25 makes an edge a source of spam. */
const SMTP_PORT = 25;

/** The policy of an edge for what one user asks of it by one protocol. */
export function createPolicy(
  { allowPrivate, rules }: PolicySettings,
  user: string,
  protocol: Protocol,
): Policy {
  return (address, name) => {
    const verdict = decide(rules, { user, protocol, address, name });
    if (verdict.decided?.rule.action === "deny") throw denied("a rule of the edge denies it");
    // An address that the name resolves to may be allowed by name of a range: that is asked then.
    if (!verdict.mayBeAllowed) checkDefaults(address, allowPrivate, verdict.decided);
    return verdict.isOpen ? "open" : undefined;
  };
}

interface Decided {
  readonly rule: Rule;
  readonly fit: Fit;
}

interface Verdict {
  readonly decided?: Decided;
  /** Rules about addresses come before what has decided. */
  readonly isOpen: boolean;
  /** One of those would allow. */
  readonly mayBeAllowed: boolean;
}

/** The first rule that fits, unless an earlier one may say otherwise once the name is resolved. */
function decide(rules: readonly Rule[], subject: Subject): Verdict {
  let isOpen = false;
  let mayBeAllowed = false;
  for (const rule of rules) {
    const fit = fitOf(rule, subject);
    if (fit === "open") {
      isOpen = true;
      mayBeAllowed ||= rule.action === "allow";
    } else if (fit !== undefined) {
      const isOverruled = rule.action === "deny" && mayBeAllowed;
      return { ...(isOverruled ? {} : { decided: { rule, fit } }), isOpen, mayBeAllowed };
    }
  }
  return { isOpen, mayBeAllowed };
}

/**
 * What is denied unless somebody said otherwise. An "allow" opens a special-purpose address only
 * by naming that address, and port 25 only by naming ports: a name under a stranger's control, or
 * a rule that means the web, must not open the edge's own network.
 */
function checkDefaults(address: Address, allowPrivate: boolean, decided?: Decided): void {
  if (address.port === SMTP_PORT && !decided?.rule.ports) throw denied("port 25 is closed here");
  if (allowPrivate) return;
  if (address.kind === "name") {
    if (decided?.fit === "name" || !isLocalName(address.host)) return;
    throw denied("the name is local");
  }
  const range = decided?.fit === "address" ? undefined : specialRangeOf(address);
  if (range !== undefined) throw denied(`the address is special-purpose (${range})`);
}

function denied(why: string): StreamError {
  return new StreamError("denied", `Cannot connect: ${why}`);
}
