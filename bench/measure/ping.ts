import { number, object } from "valibot";
import type { Measurement } from "./measurement.ts";

/** 64 bytes there and back on one stream while four others download as fast as they can. */
export const ping: Measurement = {
  name: "ping",
  rows: [
    {
      key: "ping-median",
      topic: "ping",
      label: "ping beside 4 downloads, median",
      unit: "ms",
      better: "less",
    },
    {
      key: "ping-p99",
      topic: "ping",
      label: "ping beside 4 downloads, p99",
      unit: "ms",
      better: "less",
    },
    // Without it a subject could buy a short ping with slow downloads.
    {
      key: "ping-download",
      topic: "ping",
      label: "the 4 downloads meanwhile",
      unit: "MB/s",
      better: "more",
    },
  ],
  async run({ load, pace }) {
    const result = object({
      medianMs: number(),
      p99Ms: number(),
      bytes: number(),
      seconds: number(),
    });
    const numbers = { streams: 4, warm: pace.warmMs, window: pace.windowMs };
    const { medianMs, p99Ms, bytes, seconds } = await load.run("ping", numbers, result);
    return {
      "ping-median": medianMs,
      "ping-p99": p99Ms,
      "ping-download": bytes / seconds / 1e6,
    };
  },
};
