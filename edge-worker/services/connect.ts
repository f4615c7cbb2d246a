import { relay } from "../../protocol/channel.ts";
import { withDeadline } from "../egress/deadline.ts";
import { type Service, signalOf, takenBack } from "./service.ts";

/** CONNECT: dials the target and relays. */
export const serveConnect: Service = async ({ stream, address }, context) => {
  const { caller, clock, connectTimeoutMs, egress, tally, tenant } = context;
  const policy = tenant.policyFor("tcp");
  policy(address);
  const { channel, bound } = await withDeadline(
    clock,
    connectTimeoutMs,
    signalOf(stream),
    (signal) => egress.connect(address, policy, signal, caller),
    (late) => late.channel.abort(takenBack()),
  );
  context.notes.latestBound = bound;
  stream.confirm(bound);
  await relay(stream, tenant.account.meter(channel), tally.bytes);
};
