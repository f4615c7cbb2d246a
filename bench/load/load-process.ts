import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { type GenericSchema, type InferOutput, parse } from "valibot";
import { findProgram } from "../programs.ts";

/** The numbers that a command of the load generator takes; load.c knows their names. */
export type Numbers = Readonly<Record<string, number>>;

const COMPILER = { command: "cc", debianPackage: "gcc" };

/** Compiles the load generator to `path`. */
export function buildLoad(path: string): void {
  const compiler = findProgram(COMPILER);
  if (compiler === undefined) {
    throw new Error("Cannot compile the load generator: no cc (apt-get install gcc libc6-dev)");
  }
  const sources = globSync("*.c", { cwd: import.meta.dirname });
  const args = ["-O2", "-Wall", "-pthread", "-o", path, ...sources];
  execFileSync(compiler, args, {
    cwd: import.meta.dirname,
    stdio: ["ignore", "inherit", "inherit"],
  });
}

/** Starts a command of the load generator. It ends when its standard input does. */
export function startLoad(program: string, command: string, numbers: Numbers): ChildProcess {
  const args = Object.entries(numbers).map(([name, value]) => `${name}=${Math.round(value)}`);
  return spawn(program, [command, ...args], { stdio: "pipe" });
}

/** What the command finds out; an error with its reason if it fails instead. */
export async function readResult<Schema extends GenericSchema>(
  child: ChildProcess,
  schema: Schema,
): Promise<InferOutput<Schema>> {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error("Cannot read from the load generator: it has no pipes");
  const complaint = text(stderr);
  for await (const line of createInterface({ input: stdout }))
    return parse(schema, JSON.parse(line));
  // Of many streams that fail alike, one is enough.
  const [reason] = (await complaint).split("\n");
  throw new Error(reason || "Cannot measure: the load generator ended early");
}

/** Resolves once the process has ended. */
export async function endLoad(child: ChildProcess): Promise<void> {
  const exit = hasEnded(child) ? undefined : once(child, "exit");
  child.stdin?.end();
  await exit;
}

/** True once the process has ended, for whatever reason. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
