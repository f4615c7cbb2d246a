import type { Clock } from "../clock.ts";

/** Time as Node gives it. setImmediate runs once all sockets that were ready have been read. */
export const nodeClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
  defer: (callback) => void setImmediate(callback),
};
