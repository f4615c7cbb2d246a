import { setFlagsFromString } from "node:v8";

/**
 * V8 collects the whole heap at about twice what is alive, which is 10 MB here, and counts buffers
 * outside of it too: with those that Node makes under TLS that may be every few milliseconds. Five
 * times what is alive leaves most of them to the cheap collector of young objects; without it an
 * upload over `wss:` costs almost twice the CPU time.
 */
const HEAP_GROWING_PERCENT = 400;

/** To be called once, before the process serves. */
export function tuneHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  // Young objects are a megabyte or two that is alive: to wake other threads for it takes as long as
  // it does alone, and twice the CPU time.
  setFlagsFromString("--no-parallel-scavenge");
}
