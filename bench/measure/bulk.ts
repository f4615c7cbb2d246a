import { setTimeout as sleep } from "node:timers/promises";
import { number, object } from "valibot";
import { processUse } from "../process-tree.ts";
import type { Measurement, Row, Turn } from "./measurement.ts";

const result = object({
  bytes: number(),
  seconds: number(),
  allBytes: number(),
  lostBytes: number(),
});

type Kind = Readonly<{ command: "download" | "upload"; streams: number }>;

/** One stream from the target, and the CPU time that it costs. */
export const download: Measurement = {
  name: "download",
  rows: [
    speedRow("download", "download, one stream"),
    cpuRow("cpu-client", "CPU of the client's side"),
    cpuRow("cpu-server", "CPU of the server's side"),
    cpuRow("cpu-total", "CPU of both"),
  ],
  async run(turn) {
    const { clientPids, serverPids } = turn.running;
    const meters = [cpuMeter(clientPids), cpuMeter(serverPids)] as const;
    const { speed, gigabytes } = await move(turn, { command: "download", streams: 1 });
    await sleep(50); // what was on its way when the client left is work, too
    const [client, server] = [meters[0]() / gigabytes, meters[1]() / gigabytes];
    return {
      download: speed,
      ...(clientPids.length > 0 && { "cpu-client": client, "cpu-total": client + server }),
      ...(serverPids.length > 0 && { "cpu-server": server }),
    };
  },
};

/** One stream to the target. */
export const upload = speedOnly("upload", "upload, one stream", { command: "upload", streams: 1 });

/** 32 streams from the target at once, all of them together. */
export const download32 = speedOnly("download32", "download, 32 streams", {
  command: "download",
  streams: 32,
});

function speedOnly(topic: string, label: string, kind: Kind): Measurement {
  return {
    name: topic,
    rows: [speedRow(topic, label)],
    run: async (turn) => ({ [topic]: (await move(turn, kind)).speed }),
  };
}

async function move({ load, pace, note }: Turn, { command, streams }: Kind) {
  const numbers = { streams, warm: pace.warmMs, window: pace.windowMs };
  const { bytes, seconds, allBytes, lostBytes } = await load.run(command, numbers, result);
  if (lostBytes > 0) note(`${lostBytes} bytes never arrived, though no stream broke`);
  return { speed: bytes / seconds / 1e6, gigabytes: allBytes / 1e9 };
}

function cpuMeter(pids: readonly number[]): () => number {
  const before = processUse(pids).cpuSeconds;
  return () => processUse(pids).cpuSeconds - before;
}

function speedRow(topic: string, label: string): Row {
  return { key: topic, topic, label, unit: "MB/s", better: "more" };
}

function cpuRow(key: string, label: string): Row {
  return { key, topic: "cpu", label, unit: "s/GB", better: "less" };
}
