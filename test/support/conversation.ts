import { spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";

/** A program that somebody talks with, for the running test only. */
export interface Conversation {
  say(text: string): void;
  /** Waits until its output from here on matches, and takes it up to the end of the match: all of that. */
  hear(pattern: RegExp): Promise<string>;
  /** Its exit code, once it has ended; null when a signal ended it. */
  readonly code: Promise<number | null>;
}

/** Starts a program. What it writes to stderr is taken for output, too. */
export function converse(program: string, args: readonly string[]): Conversation {
  const child = spawn(program, args, {
    cwd: "/",
    // What a user's shell may hold of proxies would decide over the tests.
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", LC_ALL: "C.UTF-8" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const closed = once(child, "close") as Promise<[number | null]>;
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await closed;
  });
  let heard = "";
  let isOver = false;
  let wake = (): void => {};
  const add = (chunk: Buffer): void => {
    heard += chunk.toString();
    wake();
  };
  child.stdout.on("data", add);
  child.stderr.on("data", add);
  child.stdin.on("error", () => {});
  const code = closed.then(([status]) => {
    isOver = true;
    wake();
    return status;
  });
  const hear = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const match = pattern.exec(heard);
      if (match) {
        const end = match.index + match[0].length;
        const taken = heard.slice(0, end);
        heard = heard.slice(end);
        return taken;
      }
      if (isOver) throw new Error(`${program} has ended: ${heard}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { say: (text) => void child.stdin.write(text), hear, code };
}
