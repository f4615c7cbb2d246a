import type { Clock } from "../../protocol/clock.ts";

const settled = Promise.resolve();

/**
 * Time as a Worker gives it. Date.now() stands still while code runs and moves with I/O, which is
 * all that timers and round trips need.
 */
export const workerClock: Clock = {
  now: () => Date.now(),
  tickMs: 1,
  wall: () => Date.now(),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
  // A turn ends with the microtasks of its event: everything one message caused is in there.
  // Not by queueMicrotask(): workerd wraps each callback, which costs more than a promise.
  defer: (callback) => void settled.then(callback),
  gather: (callback) => void setTimeout(callback, 0),
};
