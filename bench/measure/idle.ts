import { setTimeout as sleep } from "node:timers/promises";
import { number, object } from "valibot";
import { processUse } from "../process-tree.ts";
import type { Measurement, Row } from "./measurement.ts";

const SESSIONS = 1000;
/** What a process allocates once, at its first sessions, is not to count. */
const WARM_SESSIONS = 64;

const result = object({ open: number() });

/** What an idle session adds to the memory of a process that has only just started. */
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
    await load.run("idle", { streams: 8, count: WARM_SESSIONS }, result);
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
