import { setTimeout as sleep } from "node:timers/promises";
import { number, object } from "valibot";
import { processUse } from "../process-tree.ts";
import { medianOf } from "../report/statistics.ts";
import type { Measurement, Turn } from "./measurement.ts";
import { moveBytes } from "./move-bytes.ts";

const STREAMS = 200;
const QUIET_MS = 300;
const QUIET_SHARE = 0.1;
const QUIET_LIMIT_MS = 10_000;
/** In which the downloads are looked at before the readers stand still, and as many after. */
const WINDOWS = 3;
const FAST = { command: "download", streams: 4 } as const;

/** Streams whose readers stand still while their sources send flat out. */
export const still: Measurement = {
  name: "still",
  rows: [
    memoryRow("still-client", "client's side"),
    memoryRow("still-server", "server's side"),
    {
      key: "still-kept",
      topic: "still",
      label: `4 downloads beside ${STREAMS} readers that stand still, of their speed without`,
      unit: "%",
      better: "more",
    },
  ],
  async run(turn) {
    const { load, pace, running } = turn;
    const { clientPids, serverPids } = running;
    if (clientPids.length === 0) return {};
    const memory = () =>
      [processUse(clientPids).memoryBytes, processUse(serverPids).memoryBytes] as const;
    // Fresh processes, but not their first streams ever.
    await moveBytes(turn, { command: "download", streams: 1, windowMs: pace.warmMs });
    // Without the still ones before and after: processes become faster as they go on.
    const without = await speeds(turn, WINDOWS);
    await sleep(pace.settleMs);
    const before = memory();
    const act = async () => {
      // The sources have come to rest. What they filled may still be on its way from end to end.
      await untilQuiet([...clientPids, ...serverPids]);
      return { after: memory(), beside: await speedsBeside(turn) };
    };
    const numbers = { streams: 32, count: STREAMS };
    const held = await load.during("still", numbers, object({ open: number() }), act);
    without.push(...(await speeds(turn, WINDOWS)));
    const mebibytes = (side: 0 | 1) => (held.after[side] - before[side]) / 2 ** 20;
    const [speedBeside = 0, speedWithout = Number.NaN] = [held.beside, without].map(medianOf);
    return {
      "still-client": mebibytes(0),
      ...(serverPids.length > 0 && { "still-server": mebibytes(1) }),
      "still-kept": (speedBeside / speedWithout) * 100,
    };
  },
};

/** Resolves when the processes do next to nothing, or after so long that they never will. */
async function untilQuiet(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + QUIET_LIMIT_MS;
  for (let last = -1; Date.now() < deadline; await sleep(QUIET_MS)) {
    const { cpuSeconds } = processUse(pids);
    if (last >= 0 && cpuSeconds - last < (QUIET_MS / 1000) * QUIET_SHARE) return;
    last = cpuSeconds;
  }
}

/** Those of so many windows in a row. */
async function speeds(turn: Turn, count: number): Promise<number[]> {
  const all: number[] = [];
  while (all.length < count) all.push((await moveBytes(withoutNotes(turn), FAST)).speed);
  return all;
}

/** None when nothing comes through beside them: that is a result, not a failure. */
async function speedsBeside(turn: Turn): Promise<number[]> {
  try {
    return await speeds(turn, 2 * WINDOWS);
  } catch (error) {
    turn.note(
      `beside readers that stand still: ${error instanceof Error ? error.message : String(error)}`,
    );
    return [];
  }
}

/** How much gets lost cannot be told from what the sources of still streams have sent in vain. */
function withoutNotes(turn: Turn): Turn {
  return { ...turn, note: () => {} };
}

function memoryRow(key: string, side: string) {
  const label = `growth by ${STREAMS} readers that stand still, ${side}`;
  return { key, topic: "still", label, unit: "MiB", better: "less" } as const;
}
