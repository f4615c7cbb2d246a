import { pino } from "pino";
import { default as pretty } from "pino-pretty";
import type { Log, LogFields } from "../protocol/log.ts";

export interface LogSettings {
  readonly "log-level": "debug" | "info" | "warn" | "error";
  readonly "log-format": "text" | "json";
}

const STDERR = 2;

/** A log on stderr. Written at once: a line about why we exit must not be lost by exiting. */
export function createLog(settings: LogSettings): Log {
  const destination =
    settings["log-format"] === "json"
      ? pino.destination({ dest: STDERR, sync: true })
      : pretty({
          destination: STDERR,
          sync: true,
          colorize: process.stderr.isTTY,
          translateTime: "SYS:HH:MM:ss",
          ignore: "pid,hostname",
          singleLine: true,
        });
  const logger = pino({ level: settings["log-level"] }, destination);
  const at =
    (level: LogSettings["log-level"]) =>
    (message: string, fields: LogFields = {}): void =>
      logger[level](fields, message);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
