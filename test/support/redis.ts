import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { closedPort } from "./target.ts";
import { tempFolder } from "./temp-folder.ts";

/** A Redis of the running test, with nothing in it and nothing on disk. Returns its port. */
export async function startRedis(): Promise<number> {
  const port = await closedPort();
  const settings = { port: String(port), bind: "127.0.0.1", save: "", appendonly: "no" };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  await startUntil("redis-server", args, /Ready to accept connections/);
  return port;
}

/** A port whose connections socat takes to a target by SOCKS4, for programs that know no proxy. */
export async function startForwarder(proxyPort: number, targetPort: number): Promise<number> {
  const port = await closedPort();
  const listen = `TCP-LISTEN:${port},bind=127.0.0.1,fork`;
  const forward = `SOCKS4:127.0.0.1:127.0.0.1:${targetPort},socksport=${proxyPort}`;
  await startUntil("socat", ["-d", "-d", listen, forward], /listening on/);
  return port;
}

/** Starts a program for the running test, and waits for a line. @throws when it ends before */
async function startUntil(program: string, args: readonly string[], line: RegExp): Promise<void> {
  const child = spawn(program, args, { cwd: tempFolder(), stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  const said: string[] = [];
  const ready = new Promise<void>((resolve) => {
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on("line", (text) => {
        said.push(text);
        if (line.test(text)) resolve();
      });
    }
  });
  const failed = exited.then(() => {
    throw new Error(`${program} has ended: ${said.join("\n")}`);
  });
  failed.catch(() => {});
  await Promise.race([ready, failed]);
}
