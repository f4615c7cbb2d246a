import type { Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { type BrokenNetwork, startBrokenNetwork } from "../support/broken-network.ts";
import { echo } from "../support/echo.ts";
import { fill } from "../support/fill.ts";
import {
  type Holdings,
  holdingsOf,
  inspectorEnvironment,
  inspectorOf,
} from "../support/inspected-process.ts";
import { hasProc, memoryOf, socketsOf, until } from "../support/linux-process.ts";
import { socksConnect } from "../support/socks-client.ts";
import { startTarget } from "../support/target.ts";
import { type EdgeProcess, processKey, runtimes, startEdgeProcess } from "./edge-process.ts";
import { MEGABYTE, memoryLosses } from "./settings.ts";

const STREAMS = 8;
const AGENTS = 4;
const WARM_UP_ROUNDS = 2;
/** How agents go for good. Of a black hole the edge hears nothing, and misses them after 105 s at the latest. */
const ABANDONMENTS = ["the end", "a black hole"] as const;
type Abandonment = (typeof ABANDONMENTS)[number];
/** Each stream's: enough for the heap to reach the size that it keeps. */
const WARM_UP_BYTES = 32 * MEGABYTE;
/** What there is one of for each session, carrier and stream. */
const CLASSES = ["Session", "SentLog", "Link", "Outbox", "SendHalf", "ReceiveHalf"];
/** Of some carriers that are reset workerd keeps the WebSocket and a descriptor: ARCHITECTURE.md, "socket.close() alone". */
const RESET_SLACK = { node: 0, workerd: 16 };
const SETTLED = { timeout: 60_000, interval: 200 };
/** What a collection leaves of code that was compiled meanwhile, and of counters. */
const HEAP_SLACK = 4 * MEGABYTE;
/** The system counts what V8 and allocators keep for later, too. */
const SYSTEM_SLACK = 64 * MEGABYTE;

/** An edge, and what it holds. */
interface MeasuredEdge extends EdgeProcess {
  holdings(): Promise<Holdings>;
}

describe.skipIf(!hasProc).each(runtimes)("what an edge on %s holds", (runtime) => {
  it(`is after ${memoryLosses} losses what it was before`, async () => {
    const edge = await start();
    const { network, openAll, open } = await connect(edge, await startEcho());
    const first = await open();
    await until(() => network.relay.liveCount === 2);
    await edge.holdings();
    const socketsBefore = socketsOf(edge.pid);
    const sockets = await openAll();
    await warmUp(sockets);
    await loseCarriers(network, sockets, 10);
    const before = await settled(edge, { sessions: 1, streams: 1 + STREAMS });
    const memoryBefore = memoryOf(edge.pid);
    await loseCarriers(network, sockets, memoryLosses);
    await expectNoMore(edge, before);
    expect(memoryOf(edge.pid) - memoryBefore).toBeLessThan(SYSTEM_SLACK);
    for (const socket of sockets) socket.destroy();
    await expectSockets(edge, socketsBefore + RESET_SLACK[runtime]);
    await echo(first, 1);
  });

  it.each(ABANDONMENTS)(
    "is nothing of sessions that were abandoned by %s, once the resume window has passed",
    async (how) => {
      const edge = await start("--resume-window", "3");
      const targets = await startTargets();
      const busy = await connect(edge, targets.lively);
      await warmUp(await busy.openAll());
      await busy.network.agent.stop(0);
      await until(() => edge.sessionCount() === 0);
      for (let i = 0; i < WARM_UP_ROUNDS; i++) await abandonAll(edge, targets, "the end");
      const before = await settled(edge, { sessions: 0, streams: 0 });
      const socketsBefore = socketsOf(edge.pid);
      const memoryBefore = memoryOf(edge.pid);
      const networks = await abandonAll(edge, targets, how);
      // A Worker cannot cut a WebSocket: that of a black hole stays until the network ends it.
      if (runtime === "workerd") for (const { relay } of networks) await relay.close();
      await expectNoMore(edge, before);
      await expectSockets(edge, socketsBefore);
      expect(memoryOf(edge.pid) - memoryBefore).toBeLessThan(SYSTEM_SLACK);
      expect(edge.command.child.exitCode).toBe(null);
    },
  );

  async function start(...args: string[]): Promise<MeasuredEdge> {
    const edge = await startEdgeProcess(runtime, args, { environment: inspectorEnvironment });
    const inspector = await inspectorOf(edge.command, runtime);
    return { ...edge, holdings: () => holdingsOf(inspector, CLASSES) };
  }
});

/** What an edge holds once nothing but so much is left: late timers have to end first. */
async function settled(
  edge: MeasuredEdge,
  { sessions, streams }: { sessions: number; streams: number },
): Promise<Holdings> {
  // A session has two carriers, and may know two that it has lost last.
  const links = 4 * sessions;
  const most = {
    Session: sessions,
    SentLog: links,
    Link: links,
    Outbox: links,
    SendHalf: streams,
    ReceiveHalf: streams,
  };
  const { counts, bytes } = await holdingNoMore(edge, { counts: most, bytes: Infinity }, Infinity);
  // Or the names of the classes are others by now.
  expect(counts).toMatchObject({ Session: sessions, SendHalf: streams });
  return { counts: { ...counts, ...most }, bytes };
}

async function expectNoMore(edge: MeasuredEdge, { counts, bytes }: Holdings): Promise<void> {
  await holdingNoMore(edge, { counts, bytes: bytes + HEAP_SLACK }, 0);
}

/** Waits until there is no more than `most`, and of kinds that it does not name `mostOfOthers`. */
async function holdingNoMore(
  edge: MeasuredEdge,
  most: Holdings,
  mostOfOthers: number,
): Promise<Holdings> {
  let holdings = await edge.holdings();
  const surplus = async (): Promise<Holdings["counts"]> => {
    holdings = await edge.holdings();
    const { counts, bytes } = holdings;
    const tooMany = Object.entries(counts).filter(
      ([kind, count]) => count > (most.counts[kind] ?? mostOfOthers),
    );
    return Object.fromEntries(bytes > most.bytes ? [...tooMany, ["bytes", bytes]] : tooMany);
  };
  await expect.poll(surplus, SETTLED).toEqual({});
  return holdings;
}

/** workerd frees the descriptors of reset carriers by a collection only, as looking at its holdings is. */
async function expectSockets(edge: MeasuredEdge, most: number): Promise<void> {
  const count = async (): Promise<number> => {
    await edge.holdings();
    return socketsOf(edge.pid);
  };
  await expect.poll(count, SETTLED).toBeLessThanOrEqual(most);
}

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
