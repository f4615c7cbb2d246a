import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { ReadMemory, SHARED_BYTES } from "../../../protocol/node/read-memory.ts";
import {
  acceptReaders,
  adoptSocket,
  readPlainly,
  SocketReader,
} from "../../../protocol/node/socket-reader.ts";

const servers: Server[] = [];
const sockets: Socket[] = [];
const unhide: (() => void)[] = [];

async function startServer(serve: (socket: Socket) => void, pauseOnConnect = false) {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect }, (socket) => {
    sockets.push(socket.on("error", () => {}));
    serve(socket);
  });
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true };
}

/** A socket that was accepted, and the client's end of it. */
async function accepted(): Promise<{ socket: Socket; client: Socket }> {
  const came = Promise.withResolvers<Socket>();
  const client = connect(await startServer(came.resolve, true));
  sockets.push(client.on("error", () => {}));
  return { socket: await came.promise, client };
}

/** Collects what a reader reads, into memory of the test's own. */
function collect(reader: SocketReader, room = new Uint8Array(4096)) {
  sockets.push(reader.socket);
  const pieces: Buffer[] = [];
  const rooms = new Set<ArrayBufferLike>();
  reader.start({
    room,
    take: (bytes) => {
      rooms.add(bytes.buffer);
      pieces.push(Buffer.from(bytes));
      return true;
    },
  });
  const end = once(reader.socket, "end").then(() => Buffer.concat(pieces));
  return { end, rooms, room };
}

afterEach(() => {
  for (const each of unhide.splice(0)) each();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

describe("SocketReader", () => {
  it("reads into the taker's room", async () => {
    const place = await startServer((socket) => socket.end(Buffer.alloc(1_000_000, "abc")));
    const memory = new ReadMemory();
    const reader = new SocketReader(memory, (onread) => connect({ ...place, onread }));
    await once(reader.socket, "connect");
    const { end, rooms, room } = collect(reader);
    expect((await end).equals(Buffer.alloc(1_000_000, "abc"))).toBe(true);
    // The first read may have been prepared before there was a taker.
    rooms.delete(memory.shared.buffer);
    expect(rooms).toEqual(new Set([room.buffer]));
  });

  it("keeps what came before there is a taker", async () => {
    const place = await startServer((socket) => socket.write("early "));
    const memory = new ReadMemory();
    const reader = new SocketReader(memory, (onread) => connect({ ...place, onread }));
    await once(reader.socket, "readable");
    memory.shared.fill(0);
    sockets.at(-1)?.end("late");
    const { end } = collect(reader);
    expect(String(await end)).toBe("early late");
  });

  it("reads no more than a socket holds while there is no taker", async () => {
    let taken = 0;
    const place = await startServer((socket) => {
      const pour = (): void => {
        if (socket.destroyed) return;
        socket.write(new Uint8Array(100_000), () => {
          taken += 100_000;
          setImmediate(pour);
        });
      };
      pour();
    });
    const memory = new ReadMemory();
    const reader = new SocketReader(memory, (onread) => connect({ ...place, onread }));
    sockets.push(reader.socket);
    await once(reader.socket, "readable");
    const settle = async (last: number): Promise<void> => {
      for (let i = 0; i < 200; i++) await turn();
      if (taken !== last && taken < 50_000_000) await settle(taken);
    };
    await settle(0);
    expect(reader.socket.readableLength).toBeLessThanOrEqual(2 * SHARED_BYTES);
    // With a taker it goes on.
    await new Promise<void>((resolve) => {
      let bytes = 0;
      const take = (taken: Uint8Array): boolean => {
        if ((bytes += taken.length) > 10_000_000) resolve();
        return true;
      };
      reader.start({ room: new Uint8Array(100_000), take });
    });
  });

  it("stops when the taker says no, and goes on when it is resumed", async () => {
    let sent = 0;
    const place = await startServer((socket) => {
      for (; sent < 1000; sent++) socket.write(new Uint8Array(10_000));
      socket.end();
    });
    const reader = new SocketReader(new ReadMemory(), (onread) => connect({ ...place, onread }));
    sockets.push(reader.socket);
    let [bytes, calls] = [0, 0];
    let isStopped = false;
    const ended = once(reader.socket, "end");
    reader.start({
      room: new Uint8Array(100_000),
      take: (taken) => {
        expect(isStopped).toBe(false);
        bytes += taken.length;
        isStopped = ++calls % 2 === 0;
        if (isStopped)
          setImmediate(() => {
            isStopped = false;
            reader.resume();
          });
        return !isStopped;
      },
    });
    await ended;
    expect(bytes).toBe(10_000_000);
  });

  it("gives the socket back, paused: what comes then are its data events", async () => {
    const { socket, client } = await accepted();
    const reader = adoptSocket(socket, new ReadMemory());
    sockets.push(reader.socket);
    const taken: string[] = [];
    const first = new Promise<void>((resolve) => {
      reader.start({
        room: new Uint8Array(100),
        take: (bytes) => {
          taken.push(String(Buffer.from(bytes)));
          resolve();
          return true;
        },
      });
    });
    client.write("one");
    await first;
    const released = reader.release();
    expect(released.isPaused()).toBe(true);
    client.end("two");
    const seen: string[] = [];
    released.on("data", (chunk: Buffer) => seen.push(chunk.toString())).resume();
    await once(released, "end");
    expect([taken, seen]).toEqual([["one"], ["two"]]);
  });
});

describe("adoptSocket()", () => {
  it("takes over what waits, and what was put back", async () => {
    const { socket, client } = await accepted();
    client.end("world");
    await once(socket, "readable");
    socket.unshift(Buffer.from("hello "));
    const reader = adoptSocket(socket, new ReadMemory());
    expect(reader.socket).not.toBe(socket);
    expect(String(await collect(reader).end)).toBe("hello world");
  });

  it("leaves the old socket without anything inside, and the new one half-open as it was", async () => {
    const { socket, client } = await accepted();
    const [closed, heard] = [once(socket, "close"), once(client.resume(), "end")];
    const reader = adoptSocket(socket, new ReadMemory());
    await closed;
    expect(reader.socket.remoteAddress).toBe("127.0.0.1");
    client.end("bye");
    expect(String(await collect(reader).end)).toBe("bye");
    // The client has ended; this side goes on.
    const answered = once(client, "data");
    reader.socket.end("still here");
    expect(String((await answered)[0])).toBe("still here");
    await heard;
  });

  it.each([
    ["that is gone", (socket: Socket) => void socket.destroy()],
    ["with bytes to write", (socket: Socket) => hold(socket)],
    ["under TLS", (socket: Socket) => void Object.assign(socket, { encrypted: true })],
  ])("leaves a socket %s as it is", async (_what, change) => {
    const { socket } = await accepted();
    change(socket);
    expect(adoptSocket(socket, new ReadMemory()).socket).toBe(socket);
  });
});

describe("adoptSocket() under TLS", () => {
  it("has the same socket read into memory of ours, behind what waits", async () => {
    const { socket, client } = await accepted();
    Object.assign(socket, { encrypted: true });
    socket.unshift(Buffer.from("hello "));
    const memory = new ReadMemory();
    const { end, rooms } = collect(adoptSocket(socket, memory));
    client.end("world");
    expect(String(await end)).toBe("hello world");
    // This read was prepared before there was a taker.
    expect(rooms).toContain(memory.shared.buffer);
  });

  it("reads in Node's own way where a handle takes no memory", async () => {
    const { socket, client } = await accepted();
    Object.assign(socket, { encrypted: true });
    const handle: unknown = Reflect.get(socket, "_handle");
    Object.defineProperty(handle, "useUserBuffer", { value: undefined });
    const memory = new ReadMemory();
    const { end, rooms } = collect(adoptSocket(socket, memory));
    client.end("hello");
    expect(String(await end)).toBe("hello");
    expect(rooms).not.toContain(memory.shared.buffer);
  });
});

describe("adoptSocket() of a socket that has nothing inside", () => {
  it("leaves it as it is", () => {
    const socket = new Socket();
    expect(adoptSocket(socket, new ReadMemory()).socket).toBe(socket);
  });
});

describe("acceptReaders()", () => {
  /** What is read of the one client of a server, by a reader that the server is asked for. */
  async function readOne(prepare: (server: Server) => void) {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    prepare(server);
    const came = Promise.withResolvers<SocketReader>();
    acceptReaders(server, new ReadMemory(), came.resolve);
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    sockets.push(client.on("error", () => {}));
    client.end("hello");
    const reader = await came.promise;
    const heard = once(client, "data");
    const read = String(await collect(reader).end);
    // The client has ended; this side goes on.
    reader.socket.end("still here");
    return { read, answer: String((await heard)[0]), server };
  }

  it("gives a reader for each connection, half-open, of which Node has made no socket", async () => {
    const made: unknown[] = [];
    const { read, answer } = await readOne((server) =>
      server.on("connection", (socket) => made.push(socket)),
    );
    expect([read, answer, made]).toEqual(["hello", "still here", []]);
  });

  it("adopts Node's sockets where a server looks other inside", async () => {
    const made: unknown[] = [];
    const { read, answer } = await readOne((server) => {
      server.on("connection", (socket) => made.push(socket));
      // As in a version of Node whose handles have no such callback.
      const handle: unknown = Reflect.get(server, "_handle");
      Object.defineProperty(server, "_handle", { value: undefined, configurable: true });
      servers.push({
        close: () => Reflect.apply(Reflect.get(handle as object, "close"), handle, []),
      } as Server);
    });
    expect([read, answer, made.length]).toEqual(["hello", "still here", 1]);
  });
});

describe("readPlainly()", () => {
  it("reads a socket by its data events, and pauses it when the taker says no", async () => {
    const { socket, client } = await accepted();
    const reader = readPlainly(socket);
    const taken: string[] = [];
    const first = Promise.withResolvers<void>();
    reader.start({
      room: new Uint8Array(),
      take: (bytes) => {
        taken.push(String(Buffer.from(bytes)));
        first.resolve();
        return taken.length > 1;
      },
    });
    client.write("one");
    await first.promise;
    expect(socket.isPaused()).toBe(true);
    client.end("two");
    reader.resume();
    await once(socket, "end");
    expect(taken).toEqual(["one", "two"]);
  });
});

function hold(socket: Socket): void {
  socket.cork();
  socket.write("unsent");
}
