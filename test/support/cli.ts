import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

const BINARY = fileURLToPath(new URL("../../bin/edgesocks.js", import.meta.url));

/** How a command was run beside its arguments. */
export interface CliOptions {
  /** EDGESOCKS_* variables; those of the test's own environment are not passed on. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The working directory, where edgesocks.toml is looked for. */
  readonly folder?: string;
}

/** `edgesocks`, running in a process of its own. */
export interface CliProcess {
  readonly child: ChildProcessWithoutNullStreams;
  /** What it wrote so far. */
  readonly output: { stdout: string; stderr: string };
  /** The first line on stdout; rejects when there is none. */
  readonly firstLine: Promise<string>;
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
}

export function startCli(args: readonly string[], options: CliOptions = {}): CliProcess {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("EDGESOCKS_"));
  const child = spawn(process.execPath, [BINARY, ...args], {
    cwd: options.folder ?? tmpdir(),
    env: { ...Object.fromEntries(own), ...options.variables },
  });
  const output = { stdout: "", stderr: "" };
  const firstLine = Promise.withResolvers<string>();
  child.stdout.on("data", (chunk: Buffer) => {
    output.stdout += String(chunk);
    const end = output.stdout.indexOf("\n");
    if (end >= 0) firstLine.resolve(output.stdout.slice(0, end));
  });
  child.stderr.on("data", (chunk: Buffer) => (output.stderr += String(chunk)));
  const exited = once(child, "close").then(([code, signal]) => {
    firstLine.reject(new Error(`edgesocks ended (${code ?? signal}): ${output.stderr}`));
    return { code: code as number | null, signal: signal as string | null };
  });
  // Who does not wait for the line does not care that there is none.
  firstLine.promise.catch(() => {});
  return { child, output, firstLine: firstLine.promise, exited };
}

/** Runs a command that ends by itself. */
export async function runCli(
  args: readonly string[],
  options: CliOptions = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { exited, output, child } = startCli(args, options);
  child.stdin.end();
  const { code } = await exited;
  return { code, ...output };
}
