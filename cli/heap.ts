import { setFlagsFromString } from "node:v8";

/**
 * Under TLS an edge on Node reads into buffers that Node makes for each read. V8 counts them against
 * the limit at which it collects the whole heap, and sets that limit at about twice what is alive,
 * which is 10 MB here: it would collect the whole heap every few milliseconds. Five times what is
 * alive leaves most of them to the cheap collector of young objects; without it an upload over
 * `wss:` costs almost twice the CPU time.
 */
const HEAP_GROWING_PERCENT = 400;

/**
 * The space of young objects grows to 32 MB as soon as a few thousand of them outlive a collection,
 * and never shrinks. A thousand sessions that are set up and then stand still do just that: it was
 * half of the memory that they took (`npm run bench -- --only idle`). Collecting a small space more
 * often costs nothing that could be measured.
 */
const YOUNG_GROWTH_FACTOR = 1;

/** To be called once, before the process serves. */
export function tuneHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  setFlagsFromString(`--semi-space-growth-factor=${YOUNG_GROWTH_FACTOR}`);
}
