import { startCpuMeter } from "./cpu-meter.ts";
import type { Measurement, Row } from "./measurement.ts";
import { type Bulk, moveBytes } from "./move-bytes.ts";
import type { Topic } from "./topics.ts";

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
    const readMeter = startCpuMeter(turn.running);
    const { speed, gigabytes } = await moveBytes(turn, { command: "download", streams: 1 });
    const { client, server } = await readMeter();
    return {
      download: speed,
      ...(client !== undefined && {
        "cpu-client": client / gigabytes,
        "cpu-total": (client + (server ?? 0)) / gigabytes,
      }),
      ...(server !== undefined && { "cpu-server": server / gigabytes }),
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

/** How fast the relay is that emulates links: it must not be what limits those. */
export const relayAlone = speedOnly("relay", "download through the relay without limits", {
  command: "download",
  streams: 1,
});

function speedOnly(topic: Topic, label: string, bulk: Bulk): Measurement {
  return {
    name: topic,
    rows: [speedRow(topic, label)],
    run: async (turn) => ({ [topic]: (await moveBytes(turn, bulk)).speed }),
  };
}

function speedRow(topic: Topic, label: string): Row {
  return { key: topic, topic, label, unit: "MB/s", better: "more" };
}

function cpuRow(key: string, label: string): Row {
  return { key, topic: "cpu", label, unit: "s/GB", better: "less" };
}
