import { readdirSync, readFileSync } from "node:fs";

/** One process. The start time tells it from a later process with the same number. */
export type ProcessId = Readonly<{ pid: number; startTicks: number }>;

/** What a process tree has used so far. */
export type ProcessUse = Readonly<{ cpuSeconds: number; memoryBytes: number }>;

/** Linux reports times to user space in hundredths of a second on every architecture Node runs on. */
const TICKS_PER_SECOND = 100;

type Stat = Readonly<{ pid: number; parent: number; cpuTicks: number; startTicks: number }>;

/** The living processes below and including `roots`, parents before their children. */
export function processTree(roots: readonly number[]): ProcessId[] {
  const stats = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== undefined);
  const tree: Stat[] = stats.filter((stat) => roots.includes(stat.pid));
  for (const { pid } of tree) {
    tree.push(...stats.filter((stat) => stat.parent === pid && !tree.includes(stat)));
  }
  return tree.map(({ pid, startTicks }) => ({ pid, startTicks }));
}

/** CPU time and memory of the trees below and including `roots`. */
export function processUse(roots: readonly number[]): ProcessUse {
  let cpuTicks = 0;
  let memoryBytes = 0;
  for (const { pid } of processTree(roots)) {
    cpuTicks += readStat(pid)?.cpuTicks ?? 0;
    memoryBytes += memoryOf(pid);
  }
  return { cpuSeconds: cpuTicks / TICKS_PER_SECOND, memoryBytes };
}

/** True until the process has ended. A zombie counts as ended. */
export function isRunning({ pid, startTicks }: ProcessId): boolean {
  return readStat(pid)?.startTicks === startTicks;
}

function readStat(pid: number): Stat | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // proc_pid_stat(5). The second field is a name in parentheses and may hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number) => Number(fields[number - 3]);
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  return { pid, parent: field(4), cpuTicks: field(14) + field(15), startTicks: field(22) };
}

/**
 * Proportional set size: pages that forked processes share count once. An sshd that is not one's
 * own does not show it; there the resident set, which anybody may read, stands in.
 */
function memoryOf(pid: number): number {
  const pss = /^Pss:\s+(\d+) kB/m.exec(readProc(`/proc/${pid}/smaps_rollup`) ?? "")?.[1];
  const rss = /^VmRSS:\s+(\d+) kB/m.exec(readProc(`/proc/${pid}/status`) ?? "")?.[1];
  return Number(pss ?? rss ?? 0) * 1024;
}

/** Undefined for a process that has ended, or that does not let itself be looked into. */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
