import { spawn } from "node:child_process";
import { once } from "node:events";
import { buffer, text } from "node:stream/consumers";

export interface Outcome {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Uint8Array | string;
  readonly cwd?: string;
}

/** Longer than any wait of the programs themselves; what takes longer hangs. */
const TIMEOUT_MS = 40_000;

/** Runs a program to its end; one that hangs is killed, and its code is null. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { env = {}, input = "", cwd = "/" }: ProgramOptions = {},
): Promise<Outcome> {
  const child = spawn(program, args, {
    cwd,
    // What a user's shell may hold of proxies would decide over the tests.
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", LC_ALL: "C.UTF-8", ...env },
    stdio: ["pipe", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  // A program that ends without having read all of it says so by its exit code.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    buffer(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}
