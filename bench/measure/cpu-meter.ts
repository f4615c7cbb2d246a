import { setTimeout as sleep } from "node:timers/promises";
import { processUse } from "../process-tree.ts";
import type { Running } from "../subjects/subject.ts";

/** What is on its way when a client leaves is work as well. */
const AFTERMATH_MS = 50;

/** CPU seconds of both sides since the meter was made; undefined: that side has no process. */
export type CpuTimes = Readonly<{ client: number | undefined; server: number | undefined }>;

/** Starts to count the CPU time of a subject. What it returns reads the meter. */
export function startCpuMeter({ clientPids, serverPids }: Running): () => Promise<CpuTimes> {
  const read = (pids: readonly number[]) =>
    pids.length > 0 ? processUse(pids).cpuSeconds : undefined;
  const before = { client: read(clientPids), server: read(serverPids) };
  const since = (start: number | undefined, pids: readonly number[]) =>
    start === undefined ? undefined : processUse(pids).cpuSeconds - start;
  return async () => {
    await sleep(AFTERMATH_MS);
    return {
      client: since(before.client, clientPids),
      server: since(before.server, serverPids),
    };
  };
}
