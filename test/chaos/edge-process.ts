import { onTestFinished } from "vitest";
import { type RunningCommand, startCommand } from "../support/command.ts";
import { workerdOf } from "../support/linux-process.ts";

/** Who the agents of such an edge are: the command knows one key. */
export const processKey = { keyId: "default", secret: "a secret long enough" };

/** The command `edgesocks edge`, and the process that serves. */
export interface EdgeProcess {
  readonly command: RunningCommand;
  readonly port: number;
  readonly pid: number;
  /** Sessions that it has begun and not ended, by its log. */
  sessionCount(): number;
}

export const runtimes = ["node", "workerd"] as const;

export interface EdgeProcessOptions {
  readonly port?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts the real command, for the running test only. */
export async function startEdgeProcess(
  runtime: (typeof runtimes)[number],
  args: readonly string[],
  { port = 0, environment = {} }: EdgeProcessOptions = {},
): Promise<EdgeProcess> {
  const door = ["--listen", `127.0.0.1:${port}`, "--allow-private", "--runtime", runtime];
  const command = await startCommand(["edge", ...door, ...args], {
    EDGESOCKS_SECRET: processKey.secret,
    ...environment,
  });
  const timesSaid = (text: string): number => command.errors().split(text).length - 1;
  // Asked, not killed: only so does it end its workerd, too. The second signal ends it at once.
  onTestFinished(async () => {
    command.child.kill("SIGTERM");
    await command.stop();
  });
  const own = Number(command.child.pid);
  const pid = runtime === "node" ? own : workerdOf(own);
  return {
    command,
    port: command.portOf("edge"),
    pid,
    sessionCount: () => timesSaid("A session began") - timesSaid("A session ended"),
  };
}
