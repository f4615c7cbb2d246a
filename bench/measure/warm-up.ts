import { object } from "valibot";
import type { Measurement } from "./measurement.ts";

/** As many as leave enough ports for those that are measured. */
const SESSIONS_MAX = 20_000;

/**
 * Load that nobody measures. Proxies run for days, so what counts is how fast they are after their
 * compilers and garbage collectors have seen some traffic.
 */
export const warmUp: Measurement = {
  name: "warm-up",
  rows: [],
  async run({ load, pace }) {
    for (const streams of [1, 4]) {
      for (const command of ["download", "upload"]) {
        await load.run(command, { streams, warm: 0, window: pace.warmUpMs / 2 }, object({}));
      }
    }
    const sessions = { streams: 32, count: SESSIONS_MAX, warm: 0, window: pace.sessionsMs };
    await load.run("sessions", sessions, object({}));
    return {};
  },
};
