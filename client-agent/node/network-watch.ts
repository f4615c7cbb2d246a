import { networkInterfaces } from "node:os";
import type { Cancel, Clock } from "../../protocol/clock.ts";

/** Node tells of no change by itself. */
const POLL_MS = 2000;

/** Calls back when this machine's addresses are others than before; returns what ends that. */
export function watchNetwork(
  clock: Clock,
  changed: () => void,
  list: typeof networkInterfaces = networkInterfaces,
): Cancel {
  let before = addressesOf(list());
  let cancel: Cancel = () => {};
  const poll = (): void => {
    const now = addressesOf(list());
    if (now !== before) changed();
    before = now;
    cancel = clock.after(POLL_MS, poll);
  };
  cancel = clock.after(POLL_MS, poll);
  return () => cancel();
}

/** Addresses by which something outside can be reached, in one order. */
function addressesOf(interfaces: ReturnType<typeof networkInterfaces>): string {
  return Object.values(interfaces)
    .flatMap((infos) => infos ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address)
    .toSorted()
    .join(" ");
}
