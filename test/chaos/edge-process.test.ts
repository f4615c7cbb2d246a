import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { type BrokenNetwork, startBrokenNetwork } from "../support/broken-network.ts";
import { echo } from "../support/echo.ts";
import { hasProc, until } from "../support/linux-process.ts";
import { socksConnect } from "../support/socks-client.ts";
import { startTarget } from "../support/target.ts";
import { type EdgeProcess, processKey, runtimes, startEdgeProcess } from "./edge-process.ts";
import { stopSeconds } from "./settings.ts";

const STREAMS = 8;
const RESET_WITHIN_MS = 15_000;

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// /proc tells which process is workerd.
describe.skipIf(!hasProc).each(runtimes)("the process of an edge on %s", (runtime) => {
  it("is killed: all streams are reset within 15 s, and new ones go by the next", async () => {
    const { edge, open, openAll } = await start();
    const ends = endsOf(await openAll());
    const late = AbortSignal.timeout(RESET_WITHIN_MS);
    await kill(edge);
    await startEdgeProcess(runtime, [], { port: edge.port });
    await allReset(ends, late);
    await echo(await open(), 2);
  });

  it("is killed for good: streams are reset after the window, and new ones go by the next", async () => {
    const { edge, open, openAll } = await start("--resume-window", "3");
    const ends = endsOf(await openAll());
    const late = AbortSignal.timeout(RESET_WITHIN_MS);
    await kill(edge);
    await allReset(ends, late);
    await startEdgeProcess(runtime, [], { port: edge.port });
    await echo(await open(), 2);
  });

  it(`stands still for ${stopSeconds} s: nothing is lost`, async () => {
    const { edge, openAll } = await start();
    const sockets = await openAll();
    process.kill(edge.pid, "SIGSTOP");
    const echoed = sockets.map((socket, i) => echo(socket, i, 300_000));
    await pause(stopSeconds * 1000);
    process.kill(edge.pid, "SIGCONT");
    await Promise.all(echoed);
    await Promise.all(sockets.map((socket, i) => echo(socket, i + STREAMS)));
  });

  async function start(...args: string[]) {
    const edge = await startEdgeProcess(runtime, args);
    const network: BrokenNetwork = await startBrokenNetwork({ edgePort: edge.port, ...processKey });
    const target = await startTarget((socket) => void socket.pipe(socket));
    onTestFinished(() => target.close());
    const open = async (): Promise<Socket> => {
      const port = network.agent.listen.port;
      const { socket, rep } = await socksConnect(port, "127.0.0.1", target.port);
      expect(rep).toBe(0);
      socket.on("error", () => {});
      onTestFinished(() => void socket.destroy());
      return socket;
    };
    const openAll = async (): Promise<Socket[]> => {
      const sockets = await Promise.all(Array.from({ length: STREAMS }, open));
      for (const [i, socket] of sockets.entries()) await echo(socket, i);
      return sockets;
    };
    return { edge, open, openAll };
  }
});

async function kill({ command, pid }: EdgeProcess): Promise<void> {
  const exited = once(command.child, "exit");
  process.kill(pid, "SIGKILL");
  await exited;
}

/** How the clients' streams have ended so far. */
interface Ends {
  readonly sockets: readonly Socket[];
  /** Those that were ended, not reset. */
  readonly ended: ReadonlySet<Socket>;
}

/** Reads from now on: a socket that nobody reads hears of nothing. */
function endsOf(sockets: readonly Socket[]): Ends {
  const ended = new Set<Socket>();
  for (const socket of sockets) socket.on("end", () => ended.add(socket)).resume();
  return { sockets, ended };
}

/** Waits until the clients have heard of the end of their streams: by a reset, not by an end. */
async function allReset({ sockets, ended }: Ends, late: AbortSignal): Promise<void> {
  await until(() => late.aborted || sockets.every((socket) => socket.destroyed));
  expect(sockets.filter((socket) => !socket.destroyed)).toEqual([]);
  expect(ended.size).toBe(0);
}
