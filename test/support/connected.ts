import type { Log } from "../../protocol/log.ts";

/** `log`, and a promise that resolves once an agent has told it that it has its edge. */
export function untilConnected(log: Log): { log: Log; connected: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const info: Log["info"] = (message, fields) => {
    log.info(message, fields);
    if (message.startsWith("Connected")) resolve();
  };
  return { log: { ...log, info }, connected: promise };
}
