import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TurnSettings } from "../../edge-worker/egress/turn/turn-server.ts";
import { parseAddress } from "../../protocol/address.ts";
import { findProgram } from "./program.ts";
import { closedPort } from "./target.ts";

/** A coturn on loopback that relays to loopback alone, as only a test wants it. */
export interface Coturn {
  readonly settings: TurnSettings;
  /** What it has logged; `until` resolves once a line matches. */
  readonly lines: readonly string[];
  until(pattern: RegExp): Promise<string>;
  stop(): Promise<void>;
}

export interface CoturnOptions {
  readonly args?: readonly string[];
  /** PEM files: the server then speaks TLS. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
}

/** Why its tests are skipped; undefined when they are not. */
export const coturnMissing =
  findProgram("turnserver") === undefined
    ? "Skipping tests of TURN: there is no coturn"
    : undefined;
if (coturnMissing !== undefined) process.stderr.write(`${coturnMissing}\n`);

const username = "ann";
const password = "a password";

/** Starts Debian's coturn as a child. @throws when it ends before it listens */
export async function startCoturn({ args = [], tls }: CoturnOptions = {}): Promise<Coturn> {
  const folder = mkdtempSync(join(tmpdir(), "edgesocks-coturn-"));
  const port = await closedPort();
  const listening = tls
    ? [
        "--no-tcp",
        `--tls-listening-port=${port}`,
        `--cert=${tls.certFile}`,
        `--pkey=${tls.keyFile}`,
      ]
    : ["--no-tls", `--listening-port=${port}`];
  const child = spawn(
    findProgram("turnserver") ?? "turnserver",
    [
      "-n",
      "--verbose",
      "--no-cli",
      "--no-udp",
      "--no-dtls",
      "--fingerprint",
      "--lt-cred-mech",
      "--realm=example.org",
      `--user=${username}:${password}`,
      "--listening-ip=127.0.0.1",
      "--relay-ip=127.0.0.1",
      "--relay-ip=::1",
      "--allow-loopback-peers",
      "--relay-threads=1",
      "--log-file=stdout",
      "--simple-log",
      `--pidfile=${join(folder, "pid")}`,
      `--userdb=${join(folder, "db")}`,
      ...listening,
      ...args,
    ],
    { cwd: folder, stdio: ["ignore", "pipe", "pipe"] },
  );
  const lines: string[] = [];
  const waiting = new Set<(line: string) => void>();
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on("line", (line) => {
      lines.push(line);
      for (const look of waiting) look(line);
    });
  }
  const until = (pattern: RegExp): Promise<string> =>
    new Promise((resolve) => {
      const past = lines.find((line) => pattern.test(line));
      if (past !== undefined) return resolve(past);
      const look = (line: string): void => {
        if (!pattern.test(line)) return;
        waiting.delete(look);
        resolve(line);
      };
      waiting.add(look);
    });
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const failed = exited.then(() => {
    throw new Error(`coturn ended: ${lines.join("\n")}`);
  });
  await Promise.race([until(/T(CP|LS)\S* listener opened/), failed]);
  failed.catch(() => {});
  const url = { server: parseAddress(tls ? "localhost" : "127.0.0.1", port), isSecure: !!tls };
  return { settings: { url, username, password }, lines, until, stop };
}
