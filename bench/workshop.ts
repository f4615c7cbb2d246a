import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { accepts } from "./ports.ts";
import { isRunning, processTree } from "./process-tree.ts";

const POLL_MS = 20;
const START_LIMIT_MS = 15_000;
/** A drain may take 5 s; what still runs after this is killed. */
const STOP_LIMIT_MS = 6000;

const LAST_LINES = 12;

/** A process that a workshop started. */
export type Worker = Readonly<{ name: string; pid: number; child: ChildProcess; logPath: string }>;

/**
 * A folder and the processes that live in it. Whatever a subject makes, it makes through here, so
 * that one place cleans up, be it through stop() or because this process ends early.
 */
export class Workshop {
  readonly folder: string;
  readonly #workers: Worker[] = [];
  readonly #foldersToRemove: string[];

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.folder = folder;
    this.#foldersToRemove = [folder];
    process.on("exit", this.#killOnExit);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes a file that only its owner may read, and returns its path. */
  write(name: string, text: string): string {
    writeFileSync(this.path(name), text, { mode: 0o600 });
    return this.path(name);
  }

  read(path: string): string {
    return readFileSync(path, "utf8");
  }

  /** Makes a folder outside the workshop for as long as the workshop lasts, if it is not there. */
  borrowFolder(path: string): void {
    if (mkdirSync(path, { recursive: true, mode: 0o755 })) this.#foldersToRemove.push(path);
  }

  /** Runs a program to its end and returns what it printed. */
  run(program: string, args: readonly string[]): string {
    return execFileSync(program, args, { cwd: this.folder, encoding: "utf8", stdio: "pipe" });
  }

  /**
   * Starts a process here. Its output goes to a file, since a pipe would cost this process time.
   * Of the environment it inherits nothing but PATH.
   */
  start(
    name: string,
    program: string,
    args: readonly string[],
    variables: Readonly<Record<string, string>> = {},
  ): Worker {
    const logPath = this.path(`${name}.log`);
    const log = openSync(logPath, "a", 0o600);
    const environment = { PATH: process.env["PATH"], HOME: this.folder, ...variables };
    const child = spawn(program, args, {
      cwd: this.folder,
      env: environment,
      stdio: ["ignore", log, log],
      detached: true, // a process group of its own: endTree()
    });
    closeSync(log);
    child.on("error", () => {}); // the missing pid below tells the same
    if (child.pid === undefined) throw new Error(`Cannot start ${name}: ${program} does not run`);
    const worker = { name, pid: child.pid, child, logPath };
    this.#workers.push(worker);
    return worker;
  }

  /** Resolves once something on loopback accepts connections at `port`. */
  async untilListening(worker: Worker, port: number): Promise<void> {
    await this.#until(worker, () => accepts(port));
  }

  /** Resolves once the process has printed a line that begins with `start`. */
  async untilPrinted(worker: Worker, start: string): Promise<void> {
    const lines = () => readFileSync(worker.logPath, "utf8").split("\n");
    await this.#until(worker, () => lines().some((line) => line.startsWith(start)));
  }

  /** The last lines that each process has printed, for whoever looks for the reason of a failure. */
  lastWords(): string {
    return this.#workers.map((worker) => `  ${worker.name}:${lastLines(worker)}`).join("\n");
  }

  /** Ends what runs here, the youngest first, and removes the folder. */
  async stop(): Promise<void> {
    for (const worker of this.#workers.toReversed()) await endTree(worker);
    process.off("exit", this.#killOnExit);
    this.#remove();
  }

  /** The same at once and without waiting, when this process ends in the middle of its work. */
  readonly #killOnExit = (): void => {
    const living = this.#workers.filter((worker) => !hasEnded(worker));
    for (const { pid } of processTree(living.map(({ pid }) => pid))) signal(pid, "SIGKILL");
    for (const { pid } of this.#workers) signal(-pid, "SIGKILL");
    this.#remove();
  };

  async #until(worker: Worker, isReady: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + START_LIMIT_MS;
    while (!(await isReady())) {
      if (hasEnded(worker)) {
        const { exitCode, signalCode } = worker.child;
        throw new Error(`${worker.name} ended (${exitCode ?? signalCode})${lastLines(worker)}`);
      }
      if (Date.now() > deadline) throw new Error(`${worker.name} is not ready${lastLines(worker)}`);
      await sleep(POLL_MS);
    }
  }

  #remove(): void {
    for (const folder of this.#foldersToRemove) rmSync(folder, { recursive: true, force: true });
  }
}

async function endTree(worker: Worker): Promise<void> {
  const tree = hasEnded(worker) ? [] : processTree([worker.pid]);
  if (tree.length > 0) signal(worker.pid, "SIGTERM");
  const deadline = Date.now() + STOP_LIMIT_MS;
  while (tree.some(isRunning) && Date.now() < deadline) await sleep(POLL_MS);
  for (const { pid } of tree.filter(isRunning)) signal(pid, "SIGKILL");
  // What outlived its parent is still in the group that start() made.
  signal(-worker.pid, "SIGKILL");
}

function hasEnded({ child }: Worker): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended in the meantime.
  }
}

function lastLines({ logPath }: Worker): string {
  const lines = readFileSync(logPath, "utf8").trimEnd().split("\n").slice(-LAST_LINES);
  return lines.map((line) => `\n    ${line}`).join("");
}
