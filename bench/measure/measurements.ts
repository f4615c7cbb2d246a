import { download, download32, upload } from "./bulk.ts";
import { idle } from "./idle.ts";
import type { Measurement, Row } from "./measurement.ts";
import { ping } from "./ping.ts";
import { sessions } from "./sessions.ts";

/** In the order of a turn: idle first, while the memory of the processes is still small. */
export const allMeasurements: readonly Measurement[] = [
  idle,
  download,
  upload,
  download32,
  sessions,
  ping,
];

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

/** All rows of the given topics, in the order of the report. */
export function rowsOf(topics: readonly string[]): Row[] {
  const rows = allMeasurements.flatMap((measurement) => measurement.rows);
  return TOPICS.filter((topic) => topics.includes(topic)).flatMap((topic) =>
    rows.filter((row) => row.topic === topic),
  );
}
