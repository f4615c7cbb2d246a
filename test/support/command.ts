import { commandEnvironment } from "./command-environment.ts";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** An `edgesocks` process that has printed its ready line. */
export interface RunningCommand {
  readonly child: ChildProcess;
  readonly ready: string;
  /** The port behind a word of the ready line, such as "socks". */
  portOf(word: string): number;
  /** What it has written to stderr: its log. */
  readonly errors: () => string;
  /** Ends it as a user would, and gives its exit code. */
  stop(): Promise<number | null>;
}

const COMMAND = new URL("../../bin/edgesocks.js", import.meta.url).pathname;

/** Starts the real command line and waits for "ready ". @throws with its stderr when it ends first */
export async function startCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningCommand> {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    env: { ...commandEnvironment, HOME: process.env["HOME"], ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const exited = once(child, "exit");
  const ready = await Promise.race([
    once(createInterface({ input: child.stdout }), "line").then(([line]) => String(line)),
    exited.then(([code]) => {
      throw new Error(`edgesocks ${args.join(" ")} ended with ${String(code)}: ${errors}`);
    }),
  ]);
  return {
    child,
    ready,
    portOf: (word) => Number(new RegExp(`${word} \\S*?:(\\d+)(?:/|\\s|$)`).exec(ready)?.[1]),
    errors: () => errors,
    stop: async () => {
      child.kill("SIGTERM");
      const [code] = (await exited) as [number | null];
      return code;
    },
  };
}
