import { setTimeout as sleep } from "node:timers/promises";
import { number, object } from "valibot";
import { processUse } from "../process-tree.ts";
import type { Measurement, Row } from "./measurement.ts";

const SESSIONS = 1000;
/**
 * Short ones before, 32 at a time: what a process allocates once is not what a session costs. The growth
 * table has what a process takes that has only just started.
 */
const WARM = { streams: 32, count: 2000, warm: 0, window: 10_000 };

const result = object({ open: number() });

/** What an idle session adds to the memory of a process that has served others before. */
export const idle: Measurement = {
  name: "idle",
  rows: [
    memoryRow("idle-client", "idle session, client's side"),
    memoryRow("idle-server", "idle session, server's side"),
  ],
  async run({ load, pace, running: { clientPids, serverPids } }) {
    if (clientPids.length === 0) return {};
    const memory = async () => {
      await sleep(pace.settleMs);
      return [processUse(clientPids).memoryBytes, processUse(serverPids).memoryBytes] as const;
    };
    await load.run("sessions", WARM, object({}));
    const before = await memory();
    const after = await load.during("idle", { streams: 32, count: SESSIONS }, result, memory);
    const kibibytes = (side: 0 | 1) => (after[side] - before[side]) / SESSIONS / 1024;
    return {
      "idle-client": kibibytes(0),
      ...(serverPids.length > 0 && { "idle-server": kibibytes(1) }),
    };
  },
};

function memoryRow(key: string, label: string): Row {
  return { key, topic: "idle", label, unit: "KiB", better: "less" };
}
