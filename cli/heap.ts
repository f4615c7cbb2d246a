import { setFlagsFromString } from "node:v8";

/**
 * V8 counts the memory of buffers against the limit at which it collects the whole heap, and sets
 * that limit at about twice what is alive. Our heap is 10 MB and a busy relay makes hundreds of
 * megabytes of buffers a second, so it would collect the whole heap every few milliseconds: that
 * took more CPU than everything else (`npm run bench -- --only cpu`). Five times what is alive
 * leaves most buffers to the cheap collector of young objects.
 */
const HEAP_GROWING_PERCENT = 400;

/** To be called once, before the process serves. */
export function tuneHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
}
