import { commandEnvironment } from "../support/command-environment.ts";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { runCli } from "../support/cli.ts";
import { type RunningCommand, startCommand } from "../support/command.ts";
import { socksConnect } from "../support/socks-client.ts";
import { closedPort, startTarget, type Target } from "../support/target.ts";

const COMMAND = fileURLToPath(new URL("../../bin/edgesocks.js", import.meta.url));
const any = "127.0.0.1:0";
const SECRET = { EDGESOCKS_SECRET: "a secret long enough" };
/** What design allows between a signal and the end of the process. */
const STOP_MS = 5000;

const running: RunningCommand[] = [];
const targets: Target[] = [];

async function start(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<RunningCommand> {
  const command = await startCommand(args, variables);
  running.push(command);
  return command;
}

const localArgs = (runtime: string): string[] => {
  const flags = ["--listen", any, "--admin", any, "--edge-listen", any];
  return ["local", "--runtime", runtime, ...flags];
};

const startLocal = (): Promise<RunningCommand> => start(localArgs("node"));

/** Starts a command as the head of a process group, so that `endGroup()` finds what it left. */
async function startGroup(args: readonly string[]) {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    detached: true,
    env: commandEnvironment,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [ready] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return {
    child,
    portOf: (word: string) => Number(new RegExp(`${word} \\S*:(\\d+)`).exec(ready)?.[1]),
    endGroup: () => {
      try {
        process.kill(-(child.pid ?? 0), "SIGKILL");
      } catch {
        // Nothing is left of it, which is what the test is for.
      }
    },
  };
}

async function startEcho(): Promise<Target> {
  const target = await startTarget((socket) => socket.pipe(socket));
  targets.push(target);
  return target;
}

/** The exit of a process; rejects when it takes longer than it may. */
async function exitOf(child: ChildProcess): Promise<unknown> {
  const [code, signal] = (await once(child, "exit", {
    signal: AbortSignal.timeout(STOP_MS),
  })) as unknown[];
  return signal ?? code;
}

/** How a port answers a connection: "open", or the error's code. */
async function knock(port: number): Promise<unknown> {
  const socket: Socket = connect(port, "127.0.0.1");
  const knocked = once(socket, "connect").then(
    () => "open",
    (error: Error & { code?: string }) => error.code,
  );
  return knocked.finally(() => socket.destroy());
}

afterEach(async () => {
  for (const { child } of running.splice(0)) child.kill("SIGKILL");
  for (const target of targets.splice(0)) await target.close();
});

describe("serveUntilSignal()", () => {
  it("says where local serves, in one line on stdout", async () => {
    const local = await startLocal();
    expect(local.ready).toMatch(
      /^ready socks 127\.0\.0\.1:\d+ admin 127\.0\.0\.1:\d+ edge ws:\/\/127\.0\.0\.1:\d+\/ \(node\)$/,
    );
    const health = await fetch(`http://127.0.0.1:${local.portOf("admin")}/healthz`);
    expect(await health.text()).toBe("ok\n");
  });

  it("says where an edge serves, and an agent that uses it", async () => {
    const edge = await start(["edge", "--listen", any, "--allow-private"], SECRET);
    expect(edge.ready).toMatch(/^ready edge ws:\/\/127\.0\.0\.1:\d+\/ \(node\)$/);
    const url = `ws://127.0.0.1:${edge.portOf("edge")}/`;
    const agent = await start(["agent", "--listen", any, "--edge", url], SECRET);
    expect(agent.ready).toMatch(new RegExp(`^ready socks 127\\.0\\.0\\.1:\\d+ edge ${url}$`));
    const echo = await startEcho();
    const { rep, socket } = await socksConnect(agent.portOf("socks"), "127.0.0.1", echo.port);
    expect(rep).toBe(0);
    socket.destroy();
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "ends with 0 on %s right after it is ready",
    async (signal) => {
      const local = await startLocal();
      const exited = exitOf(local.child);
      local.child.kill(signal);
      expect(await exited).toBe(0);
      expect(await knock(local.portOf("socks"))).toBe("ECONNREFUSED");
    },
  );

  it("ends within 5 s though a client stays", async () => {
    const [local, echo] = [await startLocal(), await startEcho()];
    const { socket } = await socksConnect(local.portOf("socks"), "127.0.0.1", echo.port);
    socket.on("error", () => {});
    const exited = exitOf(local.child);
    local.child.kill("SIGTERM");
    expect(await exited).toBe(0);
  });

  it("ends within 5 s though its edge cannot be reached", async () => {
    const url = `ws://127.0.0.1:${await closedPort()}/`;
    const agent = await start(["agent", "--listen", any, "--edge", url], SECRET);
    const waiting = connect(agent.portOf("socks"), "127.0.0.1").on("error", () => {});
    waiting.write(Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 80));
    await once(waiting, "data");
    const exited = exitOf(agent.child);
    agent.child.kill("SIGTERM");
    expect(await exited).toBe(0);
  });

  it("ends at once on a second signal", async () => {
    const [local, echo] = [await startLocal(), await startEcho()];
    const { socket } = await socksConnect(local.portOf("socks"), "127.0.0.1", echo.port);
    socket.on("error", () => {});
    const exited = exitOf(local.child);
    local.child.kill("SIGTERM");
    // Once the port is closed, the first signal is being served and waits for the client.
    while ((await knock(local.portOf("socks"))) === "open");
    local.child.kill("SIGTERM");
    expect(await exited).toBe(130);
  });

  it("leaves no workerd behind on a second signal", async () => {
    const echo = await startEcho();
    const { child, portOf, endGroup } = await startGroup(localArgs("workerd"));
    const { socket } = await socksConnect(portOf("socks"), "127.0.0.1", echo.port);
    socket.on("error", () => {});
    const exited = exitOf(child);
    child.kill("SIGTERM");
    while ((await knock(portOf("socks"))) === "open");
    child.kill("SIGTERM");
    expect(await exited).toBe(130);
    const isClosed = expect.poll(() => knock(portOf("edge")), { timeout: STOP_MS });
    await isClosed.toBe("ECONNREFUSED").finally(endGroup);
  });
});

describe("exitWith()", () => {
  it.each([
    ["--listen", "--admin", "--edge-listen"],
    ["--admin", "--listen", "--edge-listen"],
    ["--edge-listen", "--listen", "--admin"],
  ])("exits with 2 and one line when the port of %s is in use", async (taken, ...others) => {
    const target = await startEcho();
    const flags = others.flatMap((flag) => [flag, any]);
    const args = ["local", "--runtime", "node", taken, `127.0.0.1:${target.port}`, ...flags];
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: "",
      stderr: `edgesocks: Cannot listen on 127.0.0.1:${target.port}: the port is in use\n`,
    });
  });

  it("exits with 2 and one line when workerd finds the port in use", async () => {
    const target = await startEcho();
    const flags = ["--listen", any, "--admin", any, "--edge-listen", `127.0.0.1:${target.port}`];
    const { code, stderr } = await runCli([
      "local",
      "--runtime",
      "workerd",
      ...flags,
      "--log-level",
      "error",
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^edgesocks: [^\n]+\n$/);
    expect(stderr).toContain(String(target.port));
  });
});
