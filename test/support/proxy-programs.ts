import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "./program.ts";
import { closedPort } from "./target.ts";

/** A proxy that somebody else wrote, running on loopback. */
export interface ProxyProgram {
  readonly port: number;
  stop(): Promise<void>;
}

export interface ProxyUser {
  readonly name: string;
  readonly password: string;
}

/** Why tests with these programs cannot run; undefined when they can. */
export function missingPrograms(...names: readonly string[]): string | undefined {
  const missing = names.filter((name) => findProgram(name) === undefined);
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
}

/** A SOCKS5 server, which wants a name and password when there is a user. */
export async function startMicrosocks(user?: ProxyUser): Promise<ProxyProgram> {
  const port = await closedPort();
  const who = user ? ["-u", user.name, "-P", user.password] : [];
  return running(spawn("microsocks", ["-i", "127.0.0.1", "-p", String(port), ...who]), port);
}

/** An HTTP proxy, which wants Basic credentials when there is a user. */
export async function startTinyproxy(user?: ProxyUser): Promise<ProxyProgram> {
  const port = await closedPort();
  const folder = mkdtempSync(join(tmpdir(), "edgesocks-test-"));
  const file = join(folder, "tinyproxy.conf");
  const who = user ? [`BasicAuth ${user.name} ${user.password}`] : [];
  const lines = [`Port ${port}`, "Listen 127.0.0.1", "Timeout 60", "Allow 127.0.0.1", ...who];
  writeFileSync(file, `${lines.join("\n")}\n`);
  const clean = (): void => rmSync(folder, { recursive: true, force: true });
  return running(spawn("tinyproxy", ["-d", "-c", file]), port, clean);
}

/** Waits until the program takes connections. */
async function running(
  child: ChildProcess,
  port: number,
  clean: () => void = () => {},
): Promise<ProxyProgram> {
  child.stdout?.resume();
  child.stderr?.resume();
  const exited = once(child, "exit").then(clean);
  while (!(await isTaken(port))) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended at its start`);
  }
  return {
    port,
    stop: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
