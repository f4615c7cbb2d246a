import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { firstLine } from "./programs.ts";
import type { Subject } from "./subjects/subject.ts";

/** Where and with which programs the numbers came about. */
export type Machine = Readonly<{
  date: string;
  cpu: string;
  cores: number;
  memoryGiB: number;
  kernel: string;
  /** How many processes wanted to run in the minute before. */
  loadBefore: number;
  versions: Readonly<Record<string, string>>;
}>;

/** Looks at this machine and asks the subjects for their versions. */
export function describeMachine(subjects: readonly Subject[]): Machine {
  const workerd = join(import.meta.dirname, "../node_modules/.bin/workerd");
  const peers = subjects.map((subject) => [subject.name, subject.version()]);
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    versions: {
      node: process.version,
      workerd: firstLine(workerd, ["--version"]) ?? "not installed",
      ...Object.fromEntries(peers.filter(([, version]) => version !== "")),
    },
  };
}

/** The same in a few lines for a human. */
export function formatMachine({ date, cpu, cores, memoryGiB, kernel, versions }: Machine): string {
  return [
    `${date}, ${cores} cores (${cpu}), ${memoryGiB} GiB, Linux ${kernel}`,
    ...Object.entries(versions).map(([name, version]) => `${name}: ${version}`),
  ].join("\n");
}
