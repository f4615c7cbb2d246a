import { type Address } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";

/** Whether a DNS name has any address; undefined when the resolver could not tell. */
export type NameCheck = (name: string) => Promise<boolean | undefined>;

/**
 * Why a Worker's dial failed. The platform rejects with one message for every reason, so the rest
 * is reasoned out: a name that does not exist is looked up now, after the failure and never before
 * a success; a dial that took long ran into silence; a quick "no" was a refusal.
 */
export async function diagnose(
  target: Address,
  elapsedMs: number,
  cause: unknown,
  nameExists: NameCheck,
): Promise<StreamError> {
  if (target.kind === "name" && (await nameExists(target.host)) === false) {
    return new StreamError("name-not-found", "Cannot connect: the name does not exist", { cause });
  }
  if (elapsedMs >= SILENCE_MS) {
    const text = `Cannot connect: no answer within ${Math.round(elapsedMs / 1000)} s`;
    return new StreamError("timed-out", text, { cause });
  }
  return new StreamError("connection-refused", "Cannot connect: the target refused", { cause });
}

/** A refusal takes one round trip; even around the world and back that is far less than this. */
const SILENCE_MS = 5000;
