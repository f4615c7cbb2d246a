import { relay } from "../../protocol/channel.ts";
import { endWithin } from "../egress/deadline.ts";
import { endingOf, type Service, takenBack } from "./service.ts";

/** CONNECT: dials the target and relays. */
export const serveConnect: Service = async ({ stream, address }, context) => {
  const { caller, clock, connectTimeoutMs, egress, tally, tenant } = context;
  const policy = tenant.policyFor("tcp");
  policy(address);
  const { channel, bound } = await endWithin(
    clock,
    connectTimeoutMs,
    endingOf(stream),
    (signal) => egress.connect(address, policy, signal, caller),
    (late) => late.channel.abort(takenBack()),
  );
  context.notes.latestBound = bound;
  stream.confirm(bound);
  await relay(stream, tenant.account.meter(channel), tally.bytes);
};
