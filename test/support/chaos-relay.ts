import { createServer, connect, type Socket } from "node:net";

/** What may happen to a carrier. */
export type Fault = "reset" | "end" | "black hole" | "cut in mid-message" | "delay";
export const faults: readonly Fault[] = [
  "reset",
  "end",
  "black hole",
  "cut in mid-message",
  "delay",
];

interface Pipe {
  readonly agent: Socket;
  readonly edge: Socket;
  /** Bytes that go through before the cut; undefined: no cut is due. */
  cutAfter: number | undefined;
  isHeld: boolean;
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
  /** Does this to one of the connections, chosen by a number from 0 up to 1; false if none is there. */
  strike(fault: Fault, choice: number): boolean;
  /** Does this to the connection that was used last; false if none is there. */
  strikeLatest(fault: Fault): boolean;
  /** Lets go what a black hole or a delay has held, with a reset for the former. */
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
      agent,
      edge,
      cutAfter: undefined,
      isHeld: false,
      isStruck: false,
      usedAt: 0,
    };
    pipes.add(pipe);
    join(agent, edge, pipe);
    join(edge, agent, pipe);
  });

  function join(from: Socket, to: Socket, pipe: Pipe): void {
    sockets.add(from);
    from.setNoDelay(true);
    from.on("error", () => {});
    from.on("close", () => {
      sockets.delete(from);
      // A black hole tells nobody.
      if (!pipe.isHeld) to.destroy();
      pipes.delete(pipe);
    });
    from.on("data", (chunk: Buffer) => pass(chunk, from, to, pipe));
  }

  function pass(chunk: Buffer, from: Socket, to: Socket, pipe: Pipe): void {
    if (pipe.isHeld) return;
    totals.bytes += chunk.length;
    pipe.usedAt = totals.bytes;
    passed(relay);
    if (pipe.isHeld) return;
    const { cutAfter } = pipe;
    if (cutAfter !== undefined && chunk.length >= cutAfter) {
      to.write(chunk.subarray(0, cutAfter), () => to.destroy());
      from.destroy();
      return;
    }
    if (cutAfter !== undefined) pipe.cutAfter = cutAfter - chunk.length;
    if (to.write(chunk)) return;
    from.pause();
    to.once("drain", () => from.resume());
  }

  const live = (): Pipe[] => [...pipes].filter(({ isStruck }) => !isStruck);

  function strike(fault: Fault, choice: number): boolean {
    const chosen = live();
    return hit(fault, chosen[Math.floor(choice * chosen.length)]);
  }

  function hit(fault: Fault, pipe: Pipe | undefined): boolean {
    if (!pipe) return false;
    if (fault === "delay") {
      for (const socket of [pipe.agent, pipe.edge]) socket.pause();
      setTimeout(() => {
        for (const socket of [pipe.agent, pipe.edge]) socket.resume();
      }, DELAY_MS);
      return true;
    }
    totals.losses++;
    pipe.isStruck = true;
    if (fault === "reset") for (const socket of [pipe.agent, pipe.edge]) socket.resetAndDestroy();
    if (fault === "end") pipe.edge.destroy();
    if (fault === "black hole") pipe.isHeld = true;
    if (fault === "cut in mid-message") pipe.cutAfter = MID_MESSAGE_BYTES;
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
    strikeLatest: (fault) => hit(fault, live().toSorted((a, b) => b.usedAt - a.usedAt)[0]),
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
