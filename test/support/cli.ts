import { commandEnvironment } from "./command-environment.ts";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

const COMMAND = fileURLToPath(new URL("../../bin/edgesocks.js", import.meta.url));

/** What a command that ended by itself came to. */
export interface CliOutcome {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the real command line until it ends. `folder` is where it looks for edgesocks.toml; of this
 * process's own environment nothing but PATH is passed on.
 */
export function runCli(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
  folder: string = tmpdir(),
): Promise<CliOutcome> {
  const env = { ...commandEnvironment, ...variables };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [COMMAND, ...args],
      { env, cwd: folder },
      (error, stdout, stderr) => {
        resolve({ code: error ? error.code : 0, stdout, stderr });
      },
    );
  });
}
