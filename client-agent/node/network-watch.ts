import { networkInterfaces } from "node:os";
import type { Cancel, Clock } from "../../protocol/clock.ts";

/** Node tells of no change by itself. */
const POLL_MS = 2000;

/** A poll that is late by this, by either clock, has slept: a timer stands still meanwhile. */
const SLEPT_MS = 10_000;

/**
 * Calls back when this machine's addresses are others than before, and when it was asleep; returns
 * what ends that.
 */
export function watchNetwork(
  clock: Clock,
  changed: (hasSlept: boolean) => void,
  list: typeof networkInterfaces = networkInterfaces,
): Cancel {
  let before = addressesOf(list());
  let cancel: Cancel = () => {};
  const watch = (): void => {
    const beganAt = clock.now();
    const beganAtWall = clock.wall();
    cancel = clock.after(POLL_MS, () => {
      const elapsedMs = Math.max(clock.now() - beganAt, clock.wall() - beganAtWall);
      const hasSlept = elapsedMs - POLL_MS >= SLEPT_MS;
      const now = addressesOf(list());
      if (hasSlept || now !== before) changed(hasSlept);
      before = now;
      watch();
    });
  };
  watch();
  return () => cancel();
}

/** Addresses by which something outside can be reached and what they belong to, in one order. */
function addressesOf(interfaces: ReturnType<typeof networkInterfaces>): string {
  return Object.entries(interfaces)
    .flatMap(([name, infos = []]) => infos.map((info) => ({ name, ...info })))
    .filter(({ internal }) => !internal)
    .map(({ name, cidr, address, mac }) => `${name} ${cidr ?? address} ${mac}`)
    .toSorted()
    .join(" ");
}
