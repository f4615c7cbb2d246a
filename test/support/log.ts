import type { Log } from "../../protocol/log.ts";

export interface RecordedLog extends Log {
  /** "level message {fields}" of each line. */
  readonly lines: string[];
}

/** A log that a test can read. */
export function recordedLog(): RecordedLog {
  const lines: string[] = [];
  const at =
    (level: string): Log["info"] =>
    (message, fields) =>
      void lines.push(`${level} ${message}${fields ? ` ${JSON.stringify(fields)}` : ""}`);
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
