import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { onTestFinished } from "vitest";

/** What Linux tells of processes, in /proc. */
export const hasProc = process.platform === "linux";

/** Descriptors of a process that are sockets, whatever has become of their connections. */
export function socketsOf(pid: number): number {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "closed meanwhile";
    }
  });
  return links.filter((link) => link.startsWith("socket:")).length;
}

/** Bytes in memory, as the system counts them. */
export function memoryOf(pid: number): number {
  const [, kibibytes] =
    /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}

/** The workerd that a process has started. In a checkout there is a child of esbuild, too. */
export function workerdOf(pid: number): number {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim().split(" "),
  );
  const isWorkerd = (id: string): boolean =>
    id !== "" && readFileSync(`/proc/${id}/comm`, "utf8") === "workerd\n";
  return Number(children.find(isWorkerd));
}

/** Looks again and again until it is so. @throws once the test is over, by its own time limit */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  let isOver = false;
  onTestFinished(() => void (isOver = true));
  while (!(await isSo())) {
    if (isOver) throw new Error("The test is over");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
