import type { IncomingStream } from "../../protocol/session.ts";
import type { Address } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";
import { endWithin } from "../egress/deadline.ts";
import { endingOf, type Service, type ServiceContext, unsupported } from "./service.ts";

/** RESOLVE: answers with the first address of a name (Tor's socks-extensions). */
export const serveResolve: Service = (incoming, context) => {
  const { address } = incoming;
  const { egress, tenant } = context;
  if (!egress.resolve) return Promise.reject(unsupported("RESOLVE"));
  const policy = tenant.policyFor("resolve");
  policy(address);
  const { resolve } = egress;
  // An address is its own answer, as in tor.
  return answer(incoming, context, () =>
    address.kind === "name" ? resolve(address, policy) : Promise.resolve(address),
  );
};

/** RESOLVE_PTR: answers with a name of an address. */
export const serveReverse: Service = (incoming, context) => {
  const { address } = incoming;
  const { egress, tenant } = context;
  if (!egress.reverse) return Promise.reject(unsupported("RESOLVE_PTR"));
  if (address.kind === "name") {
    const text = "Cannot resolve: RESOLVE_PTR wants an address";
    return Promise.reject(new StreamError("address-unsupported", text));
  }
  tenant.policyFor("resolve")(address);
  const { reverse } = egress;
  return answer(incoming, context, () => reverse(address));
};

/** Confirms with what `look` finds; there is nothing to relay, so the stream ends with it. */
async function answer(
  { stream }: IncomingStream,
  { caller, clock, connectTimeoutMs, lookups }: ServiceContext,
  look: () => Promise<Address>,
): Promise<void> {
  const lookInTurn = (signal: AbortSignal): Promise<Address> => lookups.run(caller, signal, look);
  const ending = endingOf(stream);
  stream.confirm(await endWithin(clock, connectTimeoutMs, ending, lookInTurn, () => {}));
  await stream.end();
  while ((await stream.read()) !== null);
}
