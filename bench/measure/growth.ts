import { setTimeout as sleep } from "node:timers/promises";
import { number, object } from "valibot";
import { processUse } from "../process-tree.ts";
import { startCpuMeter } from "./cpu-meter.ts";
import type { Measurement, Row, Turn } from "./measurement.ts";
import { type Bulk, moveBytes } from "./move-bytes.ts";
import type { Topic } from "./topics.ts";

/** One line of a chart: a quantity that is measured at every step. */
type Quantity = Readonly<{ name: string; label: string; unit: string; better: Row["better"] }>;

/** A measurement that is repeated in steps, to see how cost grows. */
export type Growth = Readonly<{
  topic: Topic;
  label: string;
  /** What the steps count. */
  unit: string;
  steps: readonly number[];
  quantities: readonly Quantity[];
}>;

type Values = Readonly<Record<string, number | undefined>>;

const SPEED: Quantity = { name: "speed", label: "speed", unit: "MB/s", better: "more" };
const CPU: Quantity = { name: "cpu", label: "CPU of both sides", unit: "s/GB", better: "less" };

const sessionGrowth: Growth = {
  topic: "growth-sessions",
  label: "idle sessions at once",
  unit: "sessions",
  steps: [1, 10, 100, 1000, 10_000],
  quantities: [
    { name: "rate", label: "opened, 32 at a time", unit: "/s", better: "more" },
    { name: "client", label: "memory added, client's side", unit: "MiB", better: "less" },
    { name: "server", label: "memory added, server's side", unit: "MiB", better: "less" },
  ],
};

const streamGrowth: Growth = {
  topic: "growth-streams",
  label: "downloads at once",
  unit: "streams",
  steps: [1, 2, 4, 8, 16, 32, 64],
  quantities: [SPEED, CPU],
};

const writeGrowth: Growth = {
  topic: "growth-writes",
  label: "one upload, by the size of its writes",
  unit: "bytes a write",
  steps: [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576],
  quantities: [SPEED, CPU],
};

/** In the order of the report. */
export const growths: readonly Growth[] = [sessionGrowth, streamGrowth, writeGrowth];

/** The row of one quantity at one step. */
export function growthKey(growth: Growth, step: number, quantity: Quantity): string {
  return `${growth.topic}/${step}/${quantity.name}`;
}

/** Idle sessions, up to ten thousand. */
export const growingSessions = grow(sessionGrowth, (turn, count) => holdSessions(turn, count));

/** Downloads side by side. */
export const growingStreams = grow(streamGrowth, (turn, streams) =>
  moveAndMeter(turn, { command: "download", streams }),
);

/** Uploads by writes of different sizes. */
export const growingWrites = grow(writeGrowth, (turn, writeBytes) =>
  moveAndMeter(turn, { command: "upload", streams: 1, writeBytes }),
);

function grow(growth: Growth, measure: (turn: Turn, step: number) => Promise<Values>): Measurement {
  return {
    name: growth.topic,
    rows: growth.steps.flatMap((step) => growth.quantities.map((q) => rowOf(growth, step, q))),
    async run(turn) {
      const found: Record<string, number> = {};
      for (const step of growth.steps) {
        const values = await measureStep(turn, growth, () => measure(turn, step), step);
        for (const quantity of growth.quantities) {
          const value = values[quantity.name];
          if (value !== undefined) found[growthKey(growth, step, quantity)] = value;
        }
      }
      return found;
    },
  };
}

/** A step that is beyond what a subject can do is worth a note, and so is what stopped it. */
async function measureStep(
  { note }: Turn,
  { unit }: Growth,
  measure: () => Promise<Values>,
  step: number,
): Promise<Values> {
  try {
    return await measure();
  } catch (error) {
    note(`${step} ${unit}: ${error instanceof Error ? error.message : String(error)}`);
    return {};
  }
}

async function holdSessions({ load, pace, running }: Turn, count: number): Promise<Values> {
  const memory = (pids: readonly number[]) => processUse(pids).memoryBytes;
  const { clientPids, serverPids } = running;
  await sleep(pace.settleMs);
  const before = [memory(clientPids), memory(serverPids)] as const;
  const numbers = { streams: Math.min(32, count), count, limit: 60 };
  const result = object({ open: number(), seconds: number() });
  return await load.during("idle", numbers, result, async ({ seconds }) => {
    await sleep(pace.settleMs);
    const mebibytes = (pids: readonly number[], start: number) =>
      pids.length > 0 ? (memory(pids) - start) / 2 ** 20 : undefined;
    return {
      rate: count / seconds,
      client: mebibytes(clientPids, before[0]),
      server: mebibytes(serverPids, before[1]),
    };
  });
}

async function moveAndMeter(turn: Turn, bulk: Bulk): Promise<Values> {
  const readMeter = startCpuMeter(turn.running);
  const { speed, gigabytes } = await moveBytes(turn, bulk);
  const { client, server } = await readMeter();
  const cpu = client === undefined ? undefined : (client + (server ?? 0)) / gigabytes;
  return { speed, cpu };
}

function rowOf(growth: Growth, step: number, quantity: Quantity): Row {
  return {
    key: growthKey(growth, step, quantity),
    topic: growth.topic,
    label: `${growth.label}, ${step.toLocaleString("en")} ${growth.unit}: ${quantity.label}`,
    unit: quantity.unit,
    better: quantity.better,
  };
}
