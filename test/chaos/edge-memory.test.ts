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
const WARM_UP_ROUNDS = 2;
/**
 * How agents go for good, round by round. Of a black hole the edge hears nothing, and misses them after
 * 105 s at the latest. What a round has left shows in the system's count with the next.
 */
const ABANDONMENTS = [
  ["the end", Array.from({ length: 6 }, () => "the end" as const)],
  ["a black hole", ["a black hole", "the end"]],
] as const;
type Abandonment = (typeof ABANDONMENTS)[number][0];
/** Each stream's: enough for the heap to reach the size that it keeps. */
const WARM_UP_BYTES = 32 * MEGABYTE;
/** What a collection leaves of code that was compiled meanwhile, and of counters. */
const HEAP_SLACK = 4 * MEGABYTE;
/** The system counts what V8 keeps for later, too; Node itself tells better. */
const SYSTEM_SLACK = { node: 64 * MEGABYTE, workerd: 24 * MEGABYTE };

/**
 * workerd keeps a descriptor of some carriers that were reset until its collector comes, which may be
 * never: of about one in forty.
 */
const SOCKET_SLACK = { node: 0, workerd: 16 };
/** Free memory goes back, and late timers end, within this time. */
const SETTLED_WITHIN_MS = 30_000;

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
    await warmUp(sockets);
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

  it.each(ABANDONMENTS)(
    "is nothing of sessions that were abandoned by %s, once the resume window has passed",
    async (_, rounds) => {
      const edge = await start("--resume-window", "3");
      const targets = await startTargets();
      const busy = await connect(edge, targets.lively);
      await warmUp(await busy.openAll());
      await busy.network.agent.stop(0);
      await until(() => edge.sessionCount() === 0);
      for (let i = 0; i < WARM_UP_ROUNDS; i++) await abandonAll(edge, targets, "the end");
      const socketsBefore = socketsOf(edge.pid);
      const memoryBefore = memoryOf(edge.pid);
      const before = await edge.holdings();
      for (const how of rounds) {
        const networks = await abandonAll(edge, targets, how);
        // A Worker cannot cut a WebSocket: that of a black hole stays until the network ends it.
        if (runtime === "workerd") for (const { relay } of networks) await relay.close();
        await until(() => socketsOf(edge.pid) <= socketsBefore + SOCKET_SLACK[runtime]);
        await until(async () => isNoMore(await edge.holdings(), before));
      }
      const late = AbortSignal.timeout(SETTLED_WITHIN_MS);
      const grownBy = async () => ((await edge.holdings())?.bytes ?? 0) - (before?.bytes ?? 0);
      await until(async () => late.aborted || (await grownBy()) < HEAP_SLACK);
      expect(await grownBy()).toBeLessThan(HEAP_SLACK);
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

async function warmUp(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(sockets.map((socket, i) => echo(socket, i, WARM_UP_BYTES)));
}

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

/** All agents at once; returns when the edge has forgotten their sessions. */
async function abandonAll(
  edge: EdgeProcess,
  targets: Targets,
  how: Abandonment,
): Promise<BrokenNetwork[]> {
  const agents = Array.from({ length: AGENTS }, () => abandon(edge, targets, how));
  const networks = await Promise.all(agents);
  expect(edge.sessionCount()).toBe(AGENTS);
  await until(() => edge.sessionCount() === 0);
  return networks;
}

/** An agent with streams in every state, which loses its network for good. */
async function abandon(
  edge: EdgeProcess,
  targets: Targets,
  how: Abandonment,
): Promise<BrokenNetwork> {
  const { network, open } = await connect(edge, targets.lively);
  const [idle, ended, blocked] = await Promise.all([open(), open(), open(targets.silent)]);
  await Promise.all([echo(idle, 1), echo(ended, 2), fill(blocked), open(targets.talkative)]);
  ended.end();
  if (how === "the end") await network.relay.close();
  else while (network.relay.strike("black hole", 0));
  await network.agent.stop(0);
  return network;
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
