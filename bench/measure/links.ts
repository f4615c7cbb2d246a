import { array, number, object } from "valibot";
import type { Link } from "../load/link.ts";
import { medianOf } from "../report/statistics.ts";
import type { Course, Measurement, Pace } from "./measurement.ts";
import { moveBytes } from "./move-bytes.ts";
import { ping } from "./ping.ts";

/** A good line at home. */
export const LINK_50: Link = { rttMs: 50, megabitsPerSecond: 200 };
/** A fast line to another continent. */
export const LINK_200: Link = { rttMs: 200, megabitsPerSecond: 500 };

const FIRST_BYTES = 7;
/** As many at a time as a browser may ask for. */
const WARM_UP = { streams: 32, count: 6000, warm: 0 };

/** By a link of 50 ms. */
export const link50: Course = {
  name: "link50",
  link: LINK_50,
  measurements: [firstByte(), linkDownload("link50", LINK_50), linkPing("link50", LINK_50)],
  rounds: "all",
};

/** By a link of 200 ms. */
export const link200: Course = {
  name: "link200",
  link: LINK_200,
  measurements: [linkDownload("link200", LINK_200)],
  rounds: "all",
};

/** A link needs time: to fill, for windows to grow, and for pings that take a second each. */
function paceOf(pace: Pace, { rttMs }: Link): Pace {
  return { ...pace, warmMs: pace.warmMs * 3 + rttMs * 16, windowMs: pace.windowMs * 2 };
}

function linkDownload(topic: "link50" | "link200", link: Link): Measurement {
  return {
    name: `${topic}-download`,
    rows: [
      {
        key: `${topic}-download`,
        topic,
        label: `one download over ${formatLink(link)}`,
        unit: "% of the link",
        better: "more",
      },
    ],
    async run(turn) {
      const pace = paceOf(turn.pace, link);
      const { speed } = await moveBytes({ ...turn, pace }, { command: "download", streams: 1 });
      return { [`${topic}-download`]: ((speed * 8) / link.megabitsPerSecond) * 100 };
    },
  };
}

function linkPing(topic: "link50", link: Link): Measurement {
  const keyOf = (key: string) => `${topic}-${key}`;
  return {
    name: `${topic}-ping`,
    rows: ping.rows.map((row) => ({
      ...row,
      key: keyOf(row.key),
      topic,
      label: `${row.label}, over ${formatLink(link)}`,
    })),
    async run(turn) {
      const values = await ping.run({ ...turn, pace: paceOf(turn.pace, link) });
      return Object.fromEntries(
        Object.entries(values).map(([key, value]) => [keyOf(key), value] as const),
      );
    },
  };
}

function firstByte(): Measurement {
  return {
    name: "first-byte",
    rows: [
      {
        key: "first-byte",
        topic: "first-byte",
        label: `from the SOCKS request to the first byte of the answer, ${LINK_50.rttMs} ms RTT`,
        unit: "ms",
        better: "less",
      },
    ],
    async run({ load, pace }) {
      // What a proxy does for the first time it does slowly, and proxies run for days.
      await load.run("sessions", { ...WARM_UP, window: pace.warmUpMs * 3 }, object({}));
      const result = object({ timesMs: array(number()) });
      const { timesMs } = await load.run("first-byte", { count: FIRST_BYTES }, result);
      return { "first-byte": medianOf(timesMs) ?? Number.NaN };
    },
  };
}

function formatLink({ rttMs, megabitsPerSecond }: Link): string {
  return `${rttMs} ms and ${megabitsPerSecond} Mbit/s`;
}
