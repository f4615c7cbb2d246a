import { download, download32, upload } from "./bulk.ts";
import { idle } from "./idle.ts";
import type { Measurement, Row } from "./measurement.ts";
import { ping } from "./ping.ts";
import { sessions } from "./sessions.ts";
import { warmUp } from "./warm-up.ts";

const measurements: readonly Measurement[] = [idle, download, upload, download32, sessions, ping];

/** In the order of the report. */
export const TOPICS: readonly string[] = [
  "download",
  "upload",
  "download32",
  "sessions",
  "ping",
  "cpu",
  "idle",
];

/**
 * What has to be done for the given topics, in the order of a turn: idle first, while the memory of
 * the processes is still small, and everything else with warm processes.
 */
export function measurementsOf(topics: readonly string[]): Measurement[] {
  const wanted = measurements.filter(({ rows }) =>
    rows.some(({ topic }) => topics.includes(topic)),
  );
  const warm = wanted.filter((measurement) => measurement !== idle);
  return [...(wanted.includes(idle) ? [idle] : []), ...(warm.length > 0 ? [warmUp] : []), ...warm];
}

/** All rows of the given topics, in the order of the report. */
export function rowsOf(topics: readonly string[]): Row[] {
  const rows = measurements.flatMap((measurement) => measurement.rows);
  return TOPICS.filter((topic) => topics.includes(topic)).flatMap((topic) =>
    rows.filter((row) => row.topic === topic),
  );
}
