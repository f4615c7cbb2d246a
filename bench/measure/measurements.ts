import type { Subject } from "../subjects/subject.ts";
import { download, download32, relayAlone, upload } from "./bulk.ts";
import { growingSessions, growingStreams, growingWrites } from "./growth.ts";
import { idle } from "./idle.ts";
import { link200, link50 } from "./links.ts";
import { losses } from "./losses.ts";
import type { Course, Measurement, Row } from "./measurement.ts";
import { ping } from "./ping.ts";
import { resumption } from "./resumption.ts";
import { sessions } from "./sessions.ts";
import { still } from "./still.ts";
import { type Topic, TOPICS } from "./topics.ts";
import { udp } from "./udp.ts";
import { warmUp } from "./warm-up.ts";

/**
 * In the order of a round. Memory comes first, while that of the processes is still small. Of the rest
 * what asks for warm processes begins with a warm-up.
 */
const courses: readonly Course[] = [
  {
    name: "loopback",
    measurements: [idle, warmUp, download, upload, download32, sessions, ping, udp],
    rounds: "all",
  },
  { name: "still", measurements: [still], rounds: "few" },
  {
    name: "relay",
    link: { rttMs: 0, megabitsPerSecond: 0 },
    measurements: [relayAlone],
    rounds: "all",
  },
  link50,
  link200,
  losses,
  { name: "resumption", measurements: [warmUp, resumption], rounds: "all" },
  // With processes of its own, as ten thousand sessions may be more than a subject survives.
  { name: "growth-sessions", measurements: [growingSessions], rounds: "few" },
  { name: "growth", measurements: [warmUp, growingStreams, growingWrites], rounds: "few" },
];

/** What has to be done with a subject to learn about the given topics. */
export function coursesOf(topics: readonly Topic[], subject: Subject): Course[] {
  const asked = topics.filter((topic) => subject.topics.includes(topic));
  return courses.flatMap((course) => {
    const wanted = course.measurements.filter(
      (measurement) => measurement === warmUp || fills(measurement, asked),
    );
    const isCold = wanted.at(-1) === warmUp;
    const measurements = isCold ? wanted.slice(0, -1) : wanted;
    return measurements.length > 0 ? [{ ...course, measurements }] : [];
  });
}

/** All rows of the given topics, in the order of the report. */
export function rowsOf(topics: readonly Topic[]): Row[] {
  const rows = courses.flatMap(({ measurements }) => measurements.flatMap(({ rows }) => rows));
  return TOPICS.filter((topic) => topics.includes(topic)).flatMap((topic) =>
    rows.filter((row) => row.topic === topic),
  );
}

function fills({ rows }: Measurement, topics: readonly Topic[]): boolean {
  return rows.some(({ topic }) => topics.includes(topic));
}
