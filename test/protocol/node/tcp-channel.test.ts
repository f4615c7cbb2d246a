import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { ReadMemory } from "../../../protocol/node/read-memory.ts";
import { adoptSocket, readPlainly, SocketReader } from "../../../protocol/node/socket-reader.ts";
import { TcpChannel } from "../../../protocol/node/tcp-channel.ts";

/** How often a channel that is not read looks whether its socket is still there. */
const WATCH_MS = 10;
const servers: Server[] = [];
const sockets: Socket[] = [];

interface Connected {
  readonly channel: TcpChannel;
  readonly socket: Socket;
  /** The far end. */
  readonly peer: Socket;
}

type Make = (memory?: ReadMemory) => Promise<Connected>;

/** A channel over a socket that dials, as the edge has them. */
const dialled: Make = async (memory = new ReadMemory()) => {
  const { place, next } = await startServer();
  const reader = new SocketReader(memory, (onread) => connect({ ...place, onread }));
  await once(reader.socket, "connect");
  return connected(reader, (await next).resume());
};

/** A channel over a socket that was accepted, as the agent has them. */
const adopted: Make = async (memory = new ReadMemory()) => {
  const { place, next } = await startServer();
  const peer = connect(place);
  return connected(adoptSocket(await next, memory), peer);
};

/** A channel that reads in Node's own way. */
const plain: Make = async () => {
  const { place, next } = await startServer();
  const peer = connect(place);
  return connected(readPlainly(await next), peer);
};

function connected(reader: SocketReader, peer: Socket): Connected {
  sockets.push(reader.socket, peer);
  peer.on("error", () => {});
  return { channel: new TcpChannel(reader, WATCH_MS), socket: reader.socket, peer };
}

async function startServer() {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const next = once(server, "connection").then(([socket]) => socket as Socket);
  const { port } = server.address() as AddressInfo;
  return { place: { port, host: "127.0.0.1", allowHalfOpen: true }, next };
}

/** Bytes that tell where they belong. */
function pattern(from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = ((from + i) * 31 + ((from + i) >> 8)) & 0xff;
  return bytes;
}

/** Reads to the end, each chunk as long as it is valid and no longer. */
async function readAll(channel: TcpChannel, pause: () => Promise<unknown>): Promise<number> {
  let at = 0;
  for (let chunk = await channel.read(); chunk !== null; chunk = await channel.read()) {
    await pause();
    if (!pattern(at, chunk.length).equals(chunk)) throw new Error(`Wrong bytes at ${at}`);
    at += chunk.length;
  }
  return at;
}

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

describe.each([
  ["that was dialled", dialled],
  ["that was adopted", adopted],
  ["that is read plainly", plain],
])("TcpChannel over a socket %s", (_name, make) => {
  it.each([
    ["at once", () => Promise.resolve()],
    ["slowly", () => turn()],
  ])("reads what was sent, in order, when the reader goes on %s", async (_how, pause) => {
    const { channel, peer } = await make();
    const sent = pattern(0, 5_000_000);
    // Large and small pieces in turn: the channel becomes a busy one and a calm one again.
    for (let at = 0, i = 0; at < sent.length; i++) {
      const next = at + (i % 60 < 20 ? 200_000 : 100);
      peer.write(sent.subarray(at, next));
      if (i % 60 >= 20) await turn();
      at = next;
    }
    peer.end();
    expect(await readAll(channel, pause)).toBe(sent.length);
    expect(await channel.read()).toBeNull();
  });

  it("lets go of its socket when it is aborted right behind its end", async () => {
    const { channel, socket, peer } = await make();
    const closed = once(socket, "close");
    peer.end();
    expect(await channel.read()).toBeNull();
    await channel.end();
    channel.abort(new Error("done"));
    await closed;
    expect(socket.destroyed).toBe(true);
  });

  it("holds a bounded number of bytes that nobody reads", async () => {
    const { channel, peer } = await make();
    let taken = 0;
    const pour = (): void => {
      if (!peer.destroyed)
        peer.write(new Uint8Array(65_536), () => {
          taken += 65_536;
          setImmediate(pour);
        });
    };
    pour();
    const settle = async (last: number): Promise<void> => {
      for (let i = 0; i < 200; i++) await turn();
      if (taken === 0 || taken !== last) await settle(taken);
    };
    await settle(0);
    // What the kernel holds is not ours: count what comes before the channel has to read on.
    let held = 0;
    for (let chunk = await channel.read(); chunk;) {
      held += chunk.length;
      const next = await Promise.race([channel.read(), Promise.resolve(null)]);
      chunk = next;
    }
    expect(held).toBeLessThanOrEqual(65_536 + 65_536);
  });

  it("writes, and ends one direction after the other", async () => {
    const { channel, peer } = await make();
    const heard: Buffer[] = [];
    peer.on("data", (chunk: Buffer) => heard.push(chunk));
    const ended = once(peer, "end");
    await channel.write(pattern(0, 300_000));
    await channel.end();
    await ended;
    expect(Buffer.concat(heard).equals(pattern(0, 300_000))).toBe(true);
    peer.end(pattern(0, 10));
    expect(await readAll(channel, () => Promise.resolve())).toBe(10);
  });

  it("fails when its peer resets, for who reads, who writes and who only listens", async () => {
    const { channel, peer } = await make();
    const failed = new Promise((resolve) => channel.onceFailed(resolve));
    const reading = channel.read();
    peer.resetAndDestroy();
    await expect(reading).rejects.toMatchObject({ code: "connection-reset" });
    expect(await failed).toMatchObject({ code: "connection-reset" });
    await expect(channel.write(pattern(0, 10))).rejects.toMatchObject({ code: "connection-reset" });
    await expect(channel.read()).rejects.toMatchObject({ code: "connection-reset" });
  });

  it("tells of a reset that comes while nobody reads", async () => {
    const { channel, peer } = await make();
    const failed = new Promise((resolve) => channel.onceFailed(resolve));
    peer.write(new Uint8Array(4_000_000));
    // Until nothing moves any more: the channel has stopped to read, and the kernel is full.
    for (let last = -1; last !== peer.writableLength;) {
      last = peer.writableLength;
      for (let i = 0; i < 200; i++) await turn();
    }
    peer.resetAndDestroy();
    expect(await failed).toMatchObject({ code: "connection-reset" });
  });

  it("resets when it is aborted, and drops what waits", async () => {
    const { channel, peer } = await make();
    const reset = new Promise((resolve) => peer.on("error", resolve));
    await new Promise((resolve) => peer.write("unread", resolve));
    await turn();
    channel.abort(new Error("enough"));
    expect(await reset).toMatchObject({ code: "ECONNRESET" });
    await expect(channel.read()).rejects.toThrow("enough");
  });

  it("gives its socket away with all that was not read", async () => {
    const { channel, peer } = await make();
    await new Promise((resolve) => peer.write("two ", resolve));
    const first = await channel.read();
    await new Promise((resolve) => peer.write("three ", resolve));
    await turn();
    const socket = channel.release(first ?? new Uint8Array());
    sockets.push(socket);
    peer.end("four");
    const heard: string[] = [];
    socket.on("data", (chunk: Buffer) => heard.push(chunk.toString()));
    socket.resume();
    await once(socket, "end");
    expect(heard.join("")).toBe("two three four");
  });
});

describe("TcpChannels that share memory", () => {
  it("do not overwrite each other's chunks, calm ones nor busy ones", async () => {
    const memory = new ReadMemory();
    const all = await Promise.all(
      Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? dialled : adopted)(memory)),
    );
    for (const [i, { peer }] of all.entries()) {
      const step = i % 3 === 0 ? 300_000 : 1000 * (i + 1);
      const sent = pattern(0, 2_000_000);
      for (let at = 0; at < sent.length; at += step) peer.write(sent.subarray(at, at + step));
      peer.end();
    }
    const read = await Promise.all(all.map(({ channel }) => readAll(channel, () => turn())));
    expect(read).toEqual(all.map(() => 2_000_000));
  });
});
