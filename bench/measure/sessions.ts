import { number, object } from "valibot";
import type { Measurement } from "./measurement.ts";

/** Local ports are finite, and each closed session keeps one for a while. */
const SESSIONS_MAX = 20_000;

/** Short sessions, 32 at a time: handshake, one request of 64 bytes and its answer, close. */
export const sessions: Measurement = {
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
