import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { ConfigError, EdgesocksError, messageOf } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";

/** How wrangler is started. */
export interface WranglerProgram {
  readonly command: string;
  /** Arguments before its own. */
  readonly args: readonly string[];
  /** The file that it is, beside which its packages are. */
  readonly file: string;
}

export interface WranglerOptions {
  readonly program: WranglerProgram;
  readonly environment: NodeJS.ProcessEnv;
  /** Blanked out wherever wrangler says them. */
  readonly hidden: readonly string[];
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface WranglerRun {
  readonly args: readonly string[];
  readonly input?: string;
  /** Further variables of its environment. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Its words are of no interest to people. */
  readonly isQuiet?: boolean;
  readonly timeoutMs: number;
}

/** What a run of wrangler came to. */
export interface WranglerOutcome {
  readonly code: number | null;
  /** The last lines of both its outputs, without colours, blank lines and secrets. */
  readonly lines: readonly string[];
}

/** Lines kept of a run, and what is kept of each. */
const MAX_LINES = 200;
const MAX_LINE = 2000;

/** The wrangler in PATH, or the one installed beside `places`. @throws ConfigError without any */
export function findWrangler(path: string, places: readonly string[]): WranglerProgram {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, "wrangler");
    if (folder !== "" && isProgram(file)) return { command: file, args: [], file };
  }
  for (const place of places) {
    const file = scriptBeside(place);
    if (file !== undefined) return { command: process.execPath, args: [file], file };
  }
  const ways = "npm install --global wrangler, or npm install wrangler in this folder";
  throw new ConfigError(`Cannot find wrangler, which puts Workers up: ${ways}`);
}

/** Runs wrangler to its end; its lines go to the log. @throws EdgesocksError ERR_DEPLOY when it is cut off */
export async function runWrangler(
  { program, environment, hidden, log, signal }: WranglerOptions,
  run: WranglerRun,
): Promise<WranglerOutcome> {
  const what = `wrangler ${run.args[0] ?? ""}`;
  const child = spawn(program.command, [...program.args, ...run.args], {
    env: { ...wranglerEnvironment(environment), ...run.variables },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const level = run.isQuiet ? "debug" : "info";
  const take = (line: string): void => {
    const text = clean(line, hidden);
    if (text === "") return;
    lines.push(text);
    if (lines.length > MAX_LINES) lines.shift();
    log[level](`wrangler: ${text}`);
  };
  // It may end without having read all of it, and says why by its exit code.
  child.stdin.on("error", () => {});
  child.stdin.end(run.input ?? "");
  const outputs = [child.stdout, child.stderr].map((output) => eachLine(output, take));
  const cut = cutOff(child, AbortSignal.any([signal, AbortSignal.timeout(run.timeoutMs)]));
  try {
    const [code] = (await once(child, "close")) as [number | null];
    await Promise.all(outputs);
    if (!cut.isCut()) return { code, lines };
  } catch (cause) {
    throw new EdgesocksError("ERR_DEPLOY", `Cannot start ${what}: ${messageOf(cause)}`, { cause });
  } finally {
    cut.forget();
  }
  const why = signal.aborted ? "it was called off" : `${run.timeoutMs / 1000} s are over`;
  throw new EdgesocksError("ERR_DEPLOY", `Cannot wait longer for ${what}: ${why}`);
}

/** Ends `child` when `signal` aborts: asks it first, as it has files and a bundler to put away. */
function cutOff(child: ChildProcess, signal: AbortSignal): { isCut(): boolean; forget(): void } {
  let killTimer: NodeJS.Timeout | undefined;
  const end = (): void => {
    child.kill("SIGTERM");
    killTimer = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end);
  return {
    isCut: () => killTimer !== undefined,
    forget: () => {
      clearTimeout(killTimer);
      signal.removeEventListener("abort", end);
    },
  };
}

const KILL_AFTER_MS = 2000;

/** Why a run failed, in wrangler's own words, for one line. */
export function reasonOfFailure({ code, lines }: WranglerOutcome): string {
  const start = lines.findLastIndex((line) => line.includes("[ERROR]"));
  const words = start < 0 ? lines.slice(-3) : lines.slice(start, start + 3);
  const advice = words.findIndex((line) => line.startsWith("If you think this is a bug"));
  const said = words.slice(0, advice < 0 ? undefined : advice).join(" ");
  const text = said.replace(/^\W*\[ERROR\] */, "").slice(0, MAX_REASON);
  const ended = code === null ? "was ended by a signal" : `ended with code ${code}`;
  return text === "" ? `it ${ended}` : `it ${ended} and says ${JSON.stringify(text)}`;
}

const MAX_REASON = 600;

/**
 * What wrangler gets of our environment. Our own variables are none of its business, the secret
 * least of all, and an environment chosen for another project would rename the Worker.
 */
function wranglerEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const passed = Object.entries(environment).filter(
    ([name]) => !name.startsWith("EDGESOCKS_") && name !== "CLOUDFLARE_ENV",
  );
  return {
    ...Object.fromEntries(passed),
    // Its first line asks for `node`: ours is new enough.
    PATH: [dirname(process.execPath), environment["PATH"] ?? ""].join(delimiter),
    // No look for updates, no statistics, and no log file with what was sent.
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_WRITE_LOGS: "false",
    NO_COLOR: "1",
  };
}

function clean(line: string, hidden: readonly string[]): string {
  let text = stripVTControlCharacters(line);
  for (const secret of hidden) text = text.replaceAll(secret, "***");
  return text.trim().slice(0, MAX_LINE);
}

async function eachLine(output: Readable, take: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: output })) take(line);
}

function scriptBeside(place: string): string | undefined {
  try {
    const manifest = createRequire(place).resolve("wrangler/package.json");
    return join(dirname(manifest), "bin", "wrangler.js");
  } catch {
    return undefined;
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
