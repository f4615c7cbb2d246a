import { medianOf } from "../report/statistics.ts";
import { startCpuMeter } from "./cpu-meter.ts";
import type { Measurement, Turn } from "./measurement.ts";
import { type Bulk, moveBytes } from "./move-bytes.ts";

/** Windows in a row, of which the median counts: what is looked for is less than what one differs by. */
const WINDOWS = 5;
const COMMANDS = ["download", "upload"] as const;

/** Speed and cost of subjects that differ in nothing but whether a session can be resumed. */
export const resumption: Measurement = {
  name: "resumption",
  rows: COMMANDS.flatMap((command) => [
    rowOf(`resumption-${command}`, `${command}, to see what resumption costs`, "MB/s"),
    rowOf(`resumption-${command}-cpu`, `CPU of both for that ${command}`, "s/GB"),
  ]),
  async run(turn) {
    const values: Record<string, number> = {};
    for (const command of COMMANDS) {
      const { speed, cpu } = await measure(turn, { command, streams: 1 });
      values[`resumption-${command}`] = speed;
      values[`resumption-${command}-cpu`] = cpu;
    }
    return values;
  },
};

async function measure(turn: Turn, bulk: Bulk): Promise<{ speed: number; cpu: number }> {
  const speeds: number[] = [];
  let allGigabytes = 0;
  const readMeter = startCpuMeter(turn.running);
  while (speeds.length < WINDOWS) {
    const { speed, gigabytes } = await moveBytes(turn, bulk);
    speeds.push(speed);
    allGigabytes += gigabytes;
  }
  const { client = 0, server = 0 } = await readMeter();
  return { speed: medianOf(speeds) ?? Number.NaN, cpu: (client + server) / allGigabytes };
}

function rowOf(key: string, label: string, unit: "MB/s" | "s/GB") {
  const better = unit === "MB/s" ? "more" : "less";
  return { key, topic: "resumption", label, unit, better } as const;
}
