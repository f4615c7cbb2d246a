import { ConfigError, messageOf } from "../protocol/errors.ts";
import { tuneEngine } from "./engine.ts";
import { watchSettings } from "./reload.ts";

/** Something that serves until it is told to stop. */
export interface Service {
  /** What comes behind "ready ": the addresses it serves at. */
  readonly ready: string;
  /** Resolves when it can serve no more though nobody has stopped it. */
  readonly failed?: Promise<Error> | undefined;
  /** Reads its settings again; undefined where a change needs a new start. Never throws. */
  readonly reload?: () => void;
  /** How long open connections may take to end after a signal. */
  readonly drainMs: number;
  /** Drains for at most `drainMs`, then ends what is left. */
  stop(drainMs: number): Promise<void>;
}

/** The command has not done what it was asked, because of how it was asked. */
export const EXIT_USAGE = 2;
const EXIT_FAILURE = 1;
/** As a shell reports a process that a signal ended. */
const EXIT_SIGNAL = 130;

/**
 * Starts a service, says that it is ready, and ends the process when a signal asks for it. SIGHUP,
 * and a change of `file`, let it read its settings again.
 */
export async function serveUntilSignal(
  start: () => Promise<Service>,
  file?: string,
): Promise<void> {
  tuneEngine();
  let service: Service;
  try {
    service = await start();
  } catch (error) {
    return exitWith(error);
  }
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) process.exit(EXIT_SIGNAL);
    isStopping = true;
    service.stop(service.drainMs).then(() => process.exit(0), exitWith);
  };
  void service.failed?.then((error) => {
    if (!isStopping) exitWith(error);
  });
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  if (service.reload) {
    process.on("SIGHUP", service.reload);
    if (file !== undefined) watchSettings(file, service.reload);
  }
  // Last: whoever reads this line may send a signal at once.
  process.stdout.write(`ready ${service.ready}\n`);
}

/** Runs a command that ends by itself. A signal calls it off, a second one ends the process at once. */
export async function runToEnd(task: (signal: AbortSignal) => Promise<void> | void): Promise<void> {
  const stopping = new AbortController();
  const stop = (): void => {
    if (stopping.signal.aborted) process.exit(EXIT_SIGNAL);
    stopping.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  try {
    await task(stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted) process.exit(EXIT_SIGNAL);
    exitWith(error);
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

/** One line on stderr, and the exit code that fits: 2 for what the user can mend, else 1. */
export function exitWith(error: unknown): never {
  const usage = error instanceof ConfigError ? error.message : listenProblem(error);
  // A file name, or what another program has said, may have line breaks of its own.
  const line = (usage ?? messageOf(error)).replaceAll(/\s*[\r\n]\s*/g, " ");
  process.stderr.write(`edgesocks: ${line}\n`);
  process.exit(usage === undefined ? EXIT_FAILURE : EXIT_USAGE);
}

const problemByErrno: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use",
  EADDRNOTAVAIL: "this machine has no such address",
  EACCES: "this user may not use the port",
  ENOTFOUND: "the host name is unknown",
  ENOTSUP: "this system cannot share a port (reuse-port)",
};

function listenProblem(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("syscall" in error && "code" in error)) return undefined;
  const problem = problemByErrno[String(error.code)];
  if (problem === undefined) return undefined;
  const host = "address" in error ? error.address : "hostname" in error ? error.hostname : "";
  // A Unix socket has the port -1.
  const port = "port" in error && error.port !== -1 ? `:${String(error.port)}` : "";
  return `Cannot listen on ${String(host)}${port}: ${problem}`;
}
