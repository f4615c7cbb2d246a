import type { Log, LogFields } from "../../protocol/log.ts";

/** One JSON object a line, which `wrangler tail` and Workers Logs take apart. */
export const consoleLog: Log = {
  debug: () => {},
  info: (message, fields) => write("info", message, fields),
  warn: (message, fields) => write("warn", message, fields),
  error: (message, fields) => write("error", message, fields),
};

function write(level: "info" | "warn" | "error", message: string, fields?: LogFields): void {
  // oxlint-disable-next-line no-console -- the console is a Worker's only log
  console[level](JSON.stringify({ level, message, ...fields }));
}
