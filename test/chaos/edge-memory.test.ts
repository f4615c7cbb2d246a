import type { Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { type BrokenNetwork, startBrokenNetwork } from "../support/broken-network.ts";
import { echo } from "../support/echo.ts";
import { fill } from "../support/fill.ts";
import {
  type Holdings,
  holdingsOf,
  inspectorEnvironment,
  inspectorIn,
} from "../support/inspected-process.ts";
import { hasProc, memoryOf, socketsOf, until } from "../support/linux-process.ts";
import { socksConnect } from "../support/socks-client.ts";
import { startTarget } from "../support/target.ts";
import { type EdgeProcess, processKey, runtimes, startEdgeProcess } from "./edge-process.ts";
import { MEGABYTE, memoryLosses } from "./settings.ts";

const STREAMS = 8;
const AGENTS = 4;
/**
 * How an agent goes for good, and how often they do: what a black hole has taken, the edge misses after
 * 105 s at the latest. workerd cannot cut its WebSocket then, and waits for TCP to give up.
 */
const ABANDONMENTS = {
  node: [
    ["the end", 2],
    ["a black hole", 1],
  ],
  workerd: [["the end", 2]],
} as const;
/** Each stream's: enough for the heap to reach the size that it keeps. */
const WARM_UP_BYTES = 32 * MEGABYTE;
/** What a collection leaves of code that was compiled meanwhile, and of counters. */
const HEAP_SLACK = 4 * MEGABYTE;
/** The system counts what V8 keeps for later, too; Node itself tells better. */
const SYSTEM_SLACK = { node: 64 * MEGABYTE, workerd: 24 * MEGABYTE };

/**
 * workerd keeps the descriptor of some carriers that were reset while their Upgrade was answered until
 * its collector comes, which may be never. One for each loss would be many more.
 */
const SOCKET_SLACK = { node: 0, workerd: 16 };

const WARM_UP_ROUNDS = 2;

type Abandonment = "the end" | "a black hole";

/** An edge, and what it holds. */
interface MeasuredEdge extends EdgeProcess {
  /** What Node says of itself; workerd has nobody to ask. */
  holdings(): Promise<Holdings | undefined>;
}

describe.skipIf(!hasProc).each(runtimes)("what an edge on %s holds", (runtime) => {
  it(`is after ${memoryLosses} losses what it was before`, async () => {
    const edge = await start();
    const { network, openAll, open } = await connect(edge, await startEcho());
    const first = await open();
    await until(() => network.relay.liveCount === 2);
    const socketsBefore = socketsOf(edge.pid);
    const sockets = await openAll();
    await Promise.all(sockets.map((socket, i) => echo(socket, i, WARM_UP_BYTES)));
    await loseCarriers(network, sockets, 10);
    const memoryBefore = memoryOf(edge.pid);
    const before = await edge.holdings();
    await loseCarriers(network, sockets, memoryLosses);
    expect(memoryOf(edge.pid) - memoryBefore).toBeLessThan(SYSTEM_SLACK[runtime]);
    const after = await edge.holdings();
    expect((after?.bytes ?? 0) - (before?.bytes ?? 0)).toBeLessThan(HEAP_SLACK);
    await until(async () => isNoMore(await edge.holdings(), before));
    for (const socket of sockets) socket.destroy();
    await until(() => socketsOf(edge.pid) <= socketsBefore + SOCKET_SLACK[runtime]);
    await echo(first, 1);
  });

  it.each(ABANDONMENTS[runtime])(
    "is nothing of sessions that were abandoned by %s, once the resume window has passed",
    async (how, rounds) => {
      const edge = await start("--resume-window", "3");
      const targets = await startTargets();
      const abandonAll = async (each: Abandonment): Promise<void> => {
        await Promise.all(Array.from({ length: AGENTS }, () => abandon(edge, targets, each)));
        expect(edge.sessionCount()).toBe(AGENTS);
        await until(() => edge.sessionCount() === 0);
      };
      // Allocators keep what such rounds took, and no more.
      for (let round = 0; round < WARM_UP_ROUNDS; round++) await abandonAll("the end");
      const socketsBefore = socketsOf(edge.pid);
      const memoryBefore = memoryOf(edge.pid);
      const before = await edge.holdings();
      for (let round = 0; round < rounds; round++) {
        await abandonAll(how);
        await until(() => socketsOf(edge.pid) <= socketsBefore);
        await until(async () => isNoMore(await edge.holdings(), before));
      }
      const after = await edge.holdings();
      expect((after?.bytes ?? 0) - (before?.bytes ?? 0)).toBeLessThan(HEAP_SLACK);
      expect(memoryOf(edge.pid) - memoryBefore).toBeLessThan(SYSTEM_SLACK[runtime]);
      expect(edge.command.child.exitCode).toBe(null);
    },
  );

  async function start(...args: string[]): Promise<MeasuredEdge> {
    if (runtime === "workerd") {
      return { ...(await startEdgeProcess(runtime, args)), holdings: async () => undefined };
    }
    const edge = await startEdgeProcess(runtime, args, { environment: inspectorEnvironment });
    const inspector = inspectorIn(edge.command.errors());
    return { ...edge, holdings: () => holdingsOf(inspector) };
  }
});

/** One after the other, of each carrier in turn; after each, all streams go on. */
async function loseCarriers(
  { relay }: BrokenNetwork,
  sockets: readonly Socket[],
  count: number,
): Promise<void> {
  for (let lost = 0; lost < count; lost++) {
    await until(() => relay.strike(lost % 2 === 0 ? "reset" : "end", lost / count));
    await Promise.all(sockets.map((socket, i) => echo(socket, i + lost)));
  }
  await until(() => relay.liveCount === 2);
}

interface Targets {
  /** Echoes. */
  readonly lively: number;
  /** Takes nothing, says nothing. */
  readonly silent: number;
  /** Says more than anybody takes. */
  readonly talkative: number;
}

async function startEcho(): Promise<number> {
  return serve((socket) => void socket.pipe(socket));
}

async function startTargets(): Promise<Targets> {
  const [lively, silent, talkative] = await Promise.all([
    startEcho(),
    serve((socket) => void socket.pause()),
    serve((socket) => void fill(socket)),
  ]);
  return { lively, silent, talkative };
}

async function serve(each: (socket: Socket) => void): Promise<number> {
  const target = await startTarget(each);
  onTestFinished(() => target.close());
  return target.port;
}

/** An agent with streams in every state, which loses its network for good. */
async function abandon(edge: EdgeProcess, targets: Targets, how: Abandonment): Promise<void> {
  const { network, open } = await connect(edge, targets.lively);
  const [idle, ended, blocked] = await Promise.all([open(), open(), open(targets.silent)]);
  await Promise.all([echo(idle, 1), echo(ended, 2), fill(blocked), open(targets.talkative)]);
  ended.end();
  if (how === "the end") await network.relay.close();
  else while (network.relay.strike("black hole", 0));
  await network.agent.stop(0);
}

async function connect(edge: EdgeProcess, echoPort: number) {
  const network: BrokenNetwork = await startBrokenNetwork({ edgePort: edge.port, ...processKey });
  const open = async (port = echoPort): Promise<Socket> => {
    const { socket, rep } = await socksConnect(network.agent.listen.port, "127.0.0.1", port);
    expect(rep).toBe(0);
    socket.on("error", () => {});
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  const openAll = () => Promise.all(Array.from({ length: STREAMS }, () => open()));
  return { network, open, openAll };
}

/** Whether none of these kinds has become more. */
function isNoMore(now: Holdings | undefined, before: Holdings | undefined): boolean {
  const kinds = Object.entries(now?.resources ?? {});
  return kinds.every(([kind, count]) => count <= (before?.resources[kind] ?? 0));
}
