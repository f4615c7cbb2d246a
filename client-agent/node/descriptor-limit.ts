import { readFileSync } from "node:fs";
import type { Log } from "../../protocol/log.ts";
import type { GateSettings } from "../listeners/gate.ts";

/** Descriptors beside those of clients: listeners, the carrier, DNS, logs, and Node's own. */
const RESERVED = 64;
const LIMITS = "/proc/self/limits";

/** Warns when this process may not open as many sockets as its settings let clients in. */
export function checkDescriptorLimit(
  { maxClients, maxHandshakes }: Pick<GateSettings, "maxClients" | "maxHandshakes">,
  log: Log,
): void {
  const limit = parseLimit(readLimits());
  const needed = maxClients + maxHandshakes + RESERVED;
  if (limit === undefined || limit >= needed) return;
  const half = Math.max(1, Math.floor((limit - RESERVED) / 2));
  log.warn(
    `Cannot serve ${maxClients} clients and ${maxHandshakes} handshakes at once: this process may ` +
      `open ${limit} files. Raise the limit (ulimit -n ${needed}), or set --max-clients and ` +
      `--max-handshakes to ${half}`,
  );
}

/** The soft limit of open files in the text of /proc/PID/limits (proc(5)); undefined if unlimited. */
export function parseLimit(text: string): number | undefined {
  const soft = /^Max open files\s+(\d+)\s/m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** The limits of this process, or "" on systems that do not show them there. */
function readLimits(): string {
  try {
    return readFileSync(LIMITS, "utf8");
  } catch {
    return "";
  }
}
