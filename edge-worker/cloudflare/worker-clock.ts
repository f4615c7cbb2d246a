import type { Clock } from "../../protocol/clock.ts";

/**
 * Time as a Worker gives it. Date.now() stands still while code runs and moves with I/O, which is
 * all that timers and round trips need.
 */
export const workerClock: Clock = {
  now: () => Date.now(),
  wall: () => Date.now(),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
  // A turn ends with the microtasks of its event: everything one message caused is in there.
  defer: (callback) => queueMicrotask(callback),
};
