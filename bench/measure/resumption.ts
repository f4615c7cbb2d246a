import { medianOf } from "../report/statistics.ts";
import type { Measurement, Turn } from "./measurement.ts";
import { type Bulk, moveBytes } from "./move-bytes.ts";

/** Windows in a row, of which the median counts: what is looked for is smaller than what one differs by. */
const WINDOWS = 3;

/** Speeds of subjects that differ in nothing but whether a session can be resumed. */
export const resumption: Measurement = {
  name: "resumption",
  rows: [speedRow("download"), speedRow("upload")],
  async run(turn) {
    return {
      "resumption-download": await speedOf(turn, { command: "download", streams: 1 }),
      "resumption-upload": await speedOf(turn, { command: "upload", streams: 1 }),
    };
  },
};

async function speedOf(turn: Turn, bulk: Bulk): Promise<number> {
  const speeds: number[] = [];
  while (speeds.length < WINDOWS) speeds.push((await moveBytes(turn, bulk)).speed);
  return medianOf(speeds) ?? Number.NaN;
}

function speedRow(command: Bulk["command"]) {
  return {
    key: `resumption-${command}`,
    topic: "resumption",
    label: `${command}, one stream, to see what resumption costs`,
    unit: "MB/s",
    better: "more",
  } as const;
}
