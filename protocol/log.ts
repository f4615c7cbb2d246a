/** Values beside a log line. Targets are logged only when the operator asked for it. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where both ends write what people should know. Adapters: pino on Node, console on Workers. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}
