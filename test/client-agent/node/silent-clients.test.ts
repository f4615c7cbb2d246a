import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseLimit } from "../../../client-agent/node/descriptor-limit.ts";
import { type RunningCommand, startCommand } from "../../support/command.ts";
import { startEcho } from "../../support/proxy-client.ts";
import { readExactly, socksConnect } from "../../support/socks-client.ts";

const OPENER = new URL("../../support/silent-clients.ts", import.meta.url).pathname;
const WANTED = 10_000;
/** Descriptors beside those of silent clients, in either process. */
const RESERVED = 200;

/** As many as can be opened: Node has raised the limit of this process as far as it may. */
function silentCount(): number {
  const limit = process.platform === "linux" ? readLimit() : 1024;
  const count = Math.min(WANTED, limit - RESERVED);
  if (count < WANTED) {
    const why = `a process may open ${limit} files`;
    process.stderr.write(`Trying ${count} silent clients instead of ${WANTED}: ${why}\n`);
  }
  return count;
}

function readLimit(): number {
  return parseLimit(readFileSync("/proc/self/limits", "utf8")) ?? Number.MAX_SAFE_INTEGER;
}

async function startLocal(...args: readonly string[]): Promise<RunningCommand> {
  const ports = ["listen", "admin", "edge-listen"].flatMap((key) => [`--${key}`, "127.0.0.1:0"]);
  // A line for each client that is turned away is much to read.
  const quiet = ["--runtime", "node", "--log-level", "error"];
  const command = await startCommand(["local", ...ports, ...quiet, ...args]);
  onTestFinished(async () => void (await command.stop()));
  return command;
}

/** Silent clients in a process of their own, which tells what becomes of them. */
function startSilent(port: number, count: number) {
  const child: ChildProcess = spawn(process.execPath, [OPENER, String(port), String(count)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  const told = new Map<string, PromiseWithResolvers<number>>(
    ["open", "gone"].map((word) => [word, Promise.withResolvers<number>()]),
  );
  if (child.stdout) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [word = "", number] = line.split(" ");
      told.get(word)?.resolve(Number(number));
    });
  }
  return { opened: told.get("open")?.promise, gone: told.get("gone")?.promise };
}

async function metricOf(command: RunningCommand, series: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${command.portOf("admin")}/metrics`)).text();
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

async function expectServed(command: RunningCommand, echoPort: number): Promise<void> {
  const { socket, rep } = await socksConnect(command.portOf("socks"), "127.0.0.1", echoPort);
  expect(rep).toBe(0);
  socket.write("hello");
  expect(Buffer.from(await readExactly(socket, 5)).toString()).toBe("hello");
  socket.destroy();
}

describe("An agent with 10,000 silent clients", () => {
  const failed = (code: string): string => `edgesocks_clients_failed_total{code="${code}"}`;

  it("serves others meanwhile, and has ended all of them after the handshake time", async () => {
    const count = silentCount();
    const echo = await startEcho();
    const room = ["--max-handshakes", String(count + 100), "--handshake-timeout", "15"];
    const agent = await startLocal(...room);
    const silent = startSilent(agent.portOf("socks"), count);
    expect(await silent.opened).toBe(count);
    const timedOut = failed("ERR_HANDSHAKE_TIMEOUT");
    const known = async () =>
      (await metricOf(agent, "edgesocks_clients")) + (await metricOf(agent, timedOut));
    await expect.poll(known).toBe(count);
    await expectServed(agent, echo.port);
    expect(await silent.gone).toBe(count);
    await expect.poll(() => metricOf(agent, "edgesocks_clients")).toBe(0);
    expect(await metricOf(agent, timedOut)).toBe(count);
    await expectServed(agent, echo.port);
  }, 120_000);

  it("serves others by default, too, where silent ones make room for each other", async () => {
    const count = silentCount();
    const echo = await startEcho();
    const agent = await startLocal("--handshake-timeout", "600");
    const silent = startSilent(agent.portOf("socks"), count);
    expect(await silent.opened).toBe(count);
    const crowded = (): Promise<number> => metricOf(agent, failed("ERR_HANDSHAKE_CROWDED"));
    await expect.poll(crowded).toBe(Math.max(0, count - 4096));
    await expectServed(agent, echo.port);
    // Somebody who is served is none of those that are at their handshake.
    await expectServed(agent, echo.port);
    expect(await metricOf(agent, "edgesocks_streams_opened_total")).toBe(2);
  }, 120_000);
});
