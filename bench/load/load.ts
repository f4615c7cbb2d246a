import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { type GenericSchema, number, object, type InferOutput, parse } from "valibot";
import { findProgram } from "../programs.ts";

/** The numbers that a command of the load generator takes; load.c knows their names. */
type Numbers = Readonly<Record<string, number>>;

const COMPILER = { command: "cc", debianPackage: "gcc" };
/** The target serves for one turn of one subject; far longer than a turn takes. */
const TARGET_LIMIT_S = 300;

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

/** The target of one turn, and the clients that reach it through the proxy under test. */
export class Load {
  readonly #program: string;
  readonly #proxyPort: number;
  readonly #target: ChildProcess;
  readonly #targetPort: number;

  private constructor(program: string, proxyPort: number, target: ChildProcess, port: number) {
    this.#program = program;
    this.#proxyPort = proxyPort;
    this.#target = target;
    this.#targetPort = port;
  }

  /** Starts the target. Without a proxy port the clients connect to it directly. */
  static async start(program: string, proxyPort: number | undefined): Promise<Load> {
    const target = start(program, "serve", { limit: TARGET_LIMIT_S });
    const { port } = await readLine(target, object({ port: number() }));
    return new Load(program, proxyPort ?? 0, target, port);
  }

  /** Runs one command to its end and returns what it found out. */
  async run<Schema extends GenericSchema>(
    command: string,
    numbers: Numbers,
    schema: Schema,
  ): Promise<InferOutput<Schema>> {
    return await this.during(command, numbers, schema, (found) => found);
  }

  /** Calls `act` with what the command found out, and only then lets the command end. */
  async during<Schema extends GenericSchema, Result>(
    command: string,
    numbers: Numbers,
    schema: Schema,
    act: (found: InferOutput<Schema>) => Result | Promise<Result>,
  ): Promise<Result> {
    if (hasEnded(this.#target)) throw new Error("Cannot measure: the target has ended");
    const ports = { proxy: this.#proxyPort, target: this.#targetPort };
    const client = start(this.#program, command, { ...ports, ...numbers });
    try {
      return await act(await readLine(client, schema));
    } finally {
      await end(client);
    }
  }

  async stop(): Promise<void> {
    await end(this.#target);
  }
}

function start(program: string, command: string, numbers: Numbers): ChildProcess {
  const args = Object.entries(numbers).map(([name, value]) => `${name}=${Math.round(value)}`);
  return spawn(program, [command, ...args], { stdio: "pipe" });
}

async function readLine<Schema extends GenericSchema>(
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

async function end(child: ChildProcess): Promise<void> {
  const exit = hasEnded(child) ? undefined : once(child, "exit");
  child.stdin?.end();
  await exit;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
