import { number, object } from "valibot";
import type { Measurement } from "./measurement.ts";

/** Each closed session keeps a local port for a while, and with half of them in use Linux searches. */
const SESSIONS_MAX = 12_000;

/** Short sessions, 32 at a time: handshake, one request of 64 bytes and its answer, close. */
export const sessions: Measurement = {
  name: "sessions",
  rows: [{ key: "sessions", topic: "sessions", label: "new sessions", unit: "/s", better: "more" }],
  async run({ load, pace }) {
    const numbers = {
      streams: 32,
      count: SESSIONS_MAX,
      warm: pace.warmMs,
      window: pace.windowMs,
    };
    const result = object({ count: number(), seconds: number() });
    const { count, seconds } = await load.run("sessions", numbers, result);
    return { sessions: count / seconds };
  },
};
