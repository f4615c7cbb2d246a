import { relay } from "../../protocol/channel.ts";
import { StreamError } from "../../protocol/errors.ts";
import { isAnybody } from "../egress/egress.ts";
import { endingOf, type Service, unsupported } from "./service.ts";

/** How long the expected peer may take to connect. */
const BIND_TIMEOUT_MS = 120_000;

/** BIND: listens for the peer that the agent named, tells where, then that it came, and relays. */
export const serveBind: Service = async ({ stream, address }, context) => {
  const { clock, egress, notes, tally, tenant } = context;
  if (!egress.listen) throw unsupported("BIND");
  const policy = tenant.policyFor("bind");
  // "Anybody" is no target: then the policy is asked about whoever comes.
  if (!isAnybody(address)) policy(address);
  const ending = endingOf(stream);
  const cancelTimer = clock.after(BIND_TIMEOUT_MS, () => {
    const text = `Cannot bind: nobody connected within ${BIND_TIMEOUT_MS / 1000} s`;
    ending.abort(new StreamError("timed-out", text));
  });
  try {
    const { signal } = ending;
    const { bound, accepted } = await egress.listen(address, policy, signal, notes.latestBound);
    stream.confirm(bound);
    const { channel, peer } = await accepted;
    cancelTimer();
    stream.confirm(peer);
    await relay(stream, tenant.account.meter(channel), tally.bytes);
  } finally {
    cancelTimer();
  }
};
