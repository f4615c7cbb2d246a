import { lookup } from "node:dns/promises";
import { type Address, parseAddress } from "../../protocol/address.ts";
import type { Clock } from "../../protocol/clock.ts";
import type { FamilyLookups } from "../egress/dial-race.ts";
import type { Policy } from "../policy/policy.ts";
import { failureOf } from "./node-failure.ts";

/** After this long, one family may be what keeps the other waiting. */
const SLOW_MS = 250;

type Family = 4 | 6;

/** The lookups of a name, and the end of all that they have started. */
export interface RunningLookups extends FamilyLookups {
  readonly settled: Promise<unknown>;
}

/**
 * Looks a name up by this machine's own resolver, and leaves out what the policy refuses. One
 * question for both families comes first, as a name in the hosts file must not be asked of DNS for
 * the family that it has no line for. getaddrinfo() answers that only when it has both; so when it
 * is slow each family is asked for by itself, and has whichever answer comes first (RFC 8305
 * section 3).
 */
export function lookupFamilies(name: Address, policy: Policy, clock: Clock): RunningLookups {
  const started: Promise<unknown>[] = [];
  const ask = (family: Family | 0): Promise<readonly Address[]> => {
    const asked = askFor(name, family);
    started.push(asked);
    return asked;
  };
  const both = ask(0);
  const slow = isSlow(both, clock);
  const addressesOf = async (family: Family): Promise<readonly Address[]> => {
    const answer = (await slow) ? Promise.race([both, ask(family)]) : both;
    const kind = `ipv${family}`;
    return allowedOf(
      (await answer).filter((address) => address.kind === kind),
      name,
      policy,
    );
  };
  const [ipv6, ipv4] = [addressesOf(6), addressesOf(4)];
  const settled = Promise.allSettled([ipv6, ipv4]).then(() => Promise.allSettled(started));
  return { ipv6, ipv4, settled };
}

/** @throws StreamError for a name without addresses, or a resolver without an answer */
async function askFor(name: Address, family: Family | 0): Promise<readonly Address[]> {
  try {
    const found = await lookup(name.host, { all: true, family, verbatim: true });
    return found.flatMap(({ address }) => addressOf(address, name.port) ?? []);
  } catch (cause) {
    throw failureOf("connect", cause);
  }
}

/** Undefined for what means something on one machine only, such as an address with a zone. */
function addressOf(host: string, port: number): Address | undefined {
  try {
    return parseAddress(host, port);
  } catch {
    return undefined;
  }
}

/** @throws StreamError "denied" when the policy refuses all that there are */
function allowedOf(
  addresses: readonly Address[],
  name: Address,
  policy: Policy,
): readonly Address[] {
  const refusals: unknown[] = [];
  const allowed = addresses.filter((address) => {
    try {
      policy(address, name.host);
      return true;
    } catch (refusal) {
      refusals.push(refusal);
      return false;
    }
  });
  if (allowed.length === 0 && refusals.length > 0) throw refusals[0];
  return allowed;
}

/** Whether `work` has not settled within SLOW_MS. */
function isSlow(work: Promise<unknown>, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.after(SLOW_MS, () => resolve(true));
    const end = (): void => {
      cancel();
      resolve(false);
    };
    work.then(end, end);
  });
}
