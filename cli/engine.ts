import { setFlagsFromString } from "node:v8";

const FLAGS = [
  // V8 collects the whole heap at about twice what is alive, which is 10 MB here, and counts buffers
  // outside of it too: with those that Node makes under TLS that may be every few milliseconds. Five
  // times what is alive leaves most of them to the cheap collector of young objects; without it an
  // upload over `wss:` costs almost twice the CPU time.
  "--heap-growing-percent=400",
  // Young objects are a megabyte or two that is alive: to wake other threads for it takes as long as it
  // does alone, and twice the CPU time.
  "--no-parallel-scavenge",
  // A function that runs once for each session is compiled at its best after 3,000 calls, and 500
  // without news of types: with all that hangs on each other that was some 18,000 sessions, at two
  // thirds of the later rate. It is the same code for days, so there is nothing to wait for.
  "--invocation-count-for-turbofan=1000",
  "--minimum-invocations-after-ic-update=100",
];

/** Sets V8 up for a relay. To be called once, before the process serves. */
export function tuneEngine(): void {
  for (const flag of FLAGS) setFlagsFromString(flag);
}
