import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

/*
 * A network namespace with nothing but loopback in it, where every address there is belongs to
 * this machine (a local route for all of them): whatever is dialled arrives at a listener inside,
 * and no packet can leave. /etc/hosts is the test's own there.
 */
const ENTER = `set -e
ip link set lo up
ip -4 route add local 0.0.0.0/0 dev lo
ip -6 route add local ::/0 dev lo
mount --bind "$1" /etc/hosts
shift
exec "$@"
`;

/** With namespaces of one's own, or by those of a user who is root in them alone. */
const WAYS: readonly (readonly string[])[] = [
  ["--net", "--mount"],
  ["--net", "--mount", "--map-root-user"],
];

/** What became of a program inside. */
export interface IsolatedOutcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Why this machine lets us make no such namespace; undefined when it does. */
export async function whyNotIsolated(): Promise<string | undefined> {
  const { code, stderr } = await runIsolated("", ["true"]);
  return code === 0 ? undefined : `no network namespace of our own: ${stderr.trim().slice(0, 200)}`;
}

/** Runs a program inside, with these lines as its hosts file. It is killed after 100 s. */
export async function runIsolated(
  hosts: string,
  command: readonly string[],
): Promise<IsolatedOutcome> {
  const folder = await mkdtemp(join(tmpdir(), "edgesocks-isolated-"));
  try {
    const file = join(folder, "hosts");
    await writeFile(file, hosts);
    let outcome: IsolatedOutcome = { code: null, stdout: "", stderr: "unshare is not there" };
    for (const way of WAYS) {
      outcome = await run("unshare", [...way, "sh", "-c", ENTER, "sh", file, ...command]);
      // What unshare and the script say when they may not; the program's own ends are told as they are.
      if (!/^(unshare|mount|RTNETLINK|ip):/m.test(outcome.stderr)) break;
    }
    return outcome;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(program: string, args: readonly string[]): Promise<IsolatedOutcome> {
  const child: ChildProcess = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 100_000,
    killSignal: "SIGKILL",
  });
  if (!child.stdout || !child.stderr) throw new Error("The child has no output");
  const ended = once(child, "close").then(
    ([code]) => code as number | null,
    (error: unknown) => String(error),
  );
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (typeof code === "string") return { code: null, stdout, stderr: `unshare: ${code}` };
  return { code, stdout, stderr };
}
