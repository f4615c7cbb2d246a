import { object } from "valibot";
import type { Measurement } from "./measurement.ts";

/**
 * Load that nobody measures. Proxies run for days, so what counts is how fast they are after their
 * compilers and garbage collectors have seen some traffic.
 */
export const warmUp: Measurement = {
  name: "warm-up",
  rows: [],
  async run({ load, pace }) {
    for (const command of ["download", "upload"]) {
      await load.run(command, { streams: 4, warm: 0, window: pace.warmUpMs / 2 }, object({}));
    }
    return {};
  },
};
