import { createServer, connect, type Socket } from "node:net";

/** What may happen to a carrier. A hole in one direction takes all of it, and the other goes on. */
export type Fault =
  | "reset"
  | "end"
  | "black hole"
  | "hole to the edge"
  | "hole to the agent"
  | "cut in mid-message"
  | "delay";
export const faults: readonly Fault[] = [
  "reset",
  "end",
  "black hole",
  "hole to the edge",
  "hole to the agent",
  "cut in mid-message",
  "delay",
];

/** One direction of a connection. */
interface Way {
  readonly from: Socket;
  readonly to: Socket;
  /** Bytes that still go through; all behind them vanish. */
  holeAfter: number;
}

interface Pipe {
  readonly up: Way;
  readonly down: Way;
  /** Bytes that still go through, both ways together, before it is cut. */
  cutAfter: number;
  /** It is lost, or will be within some bytes. */
  isStruck: boolean;
  /** How many bytes had gone by all pipes when one went by this. */
  usedAt: number;
}

/** A network in user space between agent and edge, whose connections break in every way. */
export interface ChaosRelay {
  readonly port: number;
  /** Connections that are not broken. */
  readonly liveCount: number;
  readonly totals: { losses: number; bytes: number };
  /**
   * Does this to one of the connections, chosen by a number from 0 up to 1; false if none is there.
   * A cut, and a hole in one direction, come once `afterBytes` have gone through.
   */
  strike(fault: Fault, choice: number, afterBytes?: number): boolean;
  /** Does this to the connection that was used last; false if none is there. */
  strikeLatest(fault: Fault): boolean;
  /** Ends all connections, those that a hole has left open, too. */
  close(): Promise<void>;
}

const DELAY_MS = 200;
/** A message is rarely shorter: what is cut here is in the middle of one. */
const MID_MESSAGE_BYTES = 10_007;

/** `passed` is told of all bytes so far, with each chunk that goes through. */
export async function startChaosRelay(
  edgePort: number,
  passed: (relay: ChaosRelay) => void,
): Promise<ChaosRelay> {
  const pipes = new Set<Pipe>();
  const sockets = new Set<Socket>();
  const totals = { losses: 0, bytes: 0 };

  const server = createServer((agent) => {
    const edge = connect(edgePort, "127.0.0.1");
    const pipe: Pipe = {
      up: { from: agent, to: edge, holeAfter: Infinity },
      down: { from: edge, to: agent, holeAfter: Infinity },
      cutAfter: Infinity,
      isStruck: false,
      usedAt: 0,
    };
    pipes.add(pipe);
    join(pipe.up, pipe);
    join(pipe.down, pipe);
  });

  function join(way: Way, pipe: Pipe): void {
    const { from, to } = way;
    sockets.add(from);
    from.setNoDelay(true);
    from.on("error", () => {});
    from.on("close", () => {
      sockets.delete(from);
      // A hole takes the end of the connection, too.
      if (way.holeAfter > 0) to.destroy();
      pipes.delete(pipe);
    });
    from.on("data", (chunk: Buffer) => pass(chunk, way, pipe));
  }

  function pass(chunk: Buffer, way: Way, pipe: Pipe): void {
    if (way.holeAfter === 0) return;
    totals.bytes += chunk.length;
    pipe.usedAt = totals.bytes;
    passed(relay);
    const { from, to } = way;
    if (chunk.length >= pipe.cutAfter) {
      to.write(chunk.subarray(0, pipe.cutAfter), () => to.destroy());
      from.destroy();
      return;
    }
    pipe.cutAfter -= chunk.length;
    const through = chunk.subarray(0, way.holeAfter);
    way.holeAfter -= through.length;
    if (through.length === 0 || to.write(through)) return;
    from.pause();
    to.once("drain", () => from.resume());
  }

  const live = (): Pipe[] => [...pipes].filter(({ isStruck }) => !isStruck);

  function strike(fault: Fault, choice: number, afterBytes = MID_MESSAGE_BYTES): boolean {
    const chosen = live();
    return hit(fault, chosen[Math.floor(choice * chosen.length)], afterBytes);
  }

  function hit(fault: Fault, pipe: Pipe | undefined, afterBytes: number): boolean {
    if (!pipe) return false;
    const { up, down } = pipe;
    if (fault === "delay") {
      for (const { from } of [up, down]) from.pause();
      setTimeout(() => {
        for (const { from } of [up, down]) from.resume();
      }, DELAY_MS);
      return true;
    }
    totals.losses++;
    pipe.isStruck = true;
    if (fault === "reset") for (const { from } of [up, down]) from.resetAndDestroy();
    if (fault === "end") up.to.destroy();
    if (fault === "black hole") up.holeAfter = down.holeAfter = 0;
    if (fault === "hole to the edge") up.holeAfter = afterBytes;
    if (fault === "hole to the agent") down.holeAfter = afterBytes;
    if (fault === "cut in mid-message") pipe.cutAfter = afterBytes;
    return true;
  }

  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (typeof address === "object" && address) resolve(address.port);
    });
  });
  const relay: ChaosRelay = {
    port,
    totals,
    strike,
    strikeLatest: (fault) =>
      hit(fault, live().toSorted((a, b) => b.usedAt - a.usedAt)[0], MID_MESSAGE_BYTES),
    get liveCount() {
      return live().length;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return relay;
}
