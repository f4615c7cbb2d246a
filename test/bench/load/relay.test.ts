import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type Link, Relays } from "../../../bench/load/link.ts";
import { buildLoad } from "../../../bench/load/load-process.ts";
import { findProgram } from "../../../bench/programs.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const hasCompiler = findProgram({ command: "cc", debianPackage: "gcc" }) !== undefined;

/** A server behind a relay, and clients that reach it through that. */
async function relayed(link: Link, serve: (socket: Socket) => void) {
  const program = join(tempFolder(), "load");
  buildLoad(program);
  const server = createServer({ allowHalfOpen: true }, serve).listen(0, "127.0.0.1");
  await once(server, "listening");
  const relays = new Relays(program, link);
  const port = await relays.reach(portOf(server));
  const clients: Socket[] = [];
  onTestFinished(async () => {
    for (const client of clients) client.destroy();
    server.close();
    await relays.stop();
  });
  const open = (): Socket => {
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    clients.push(client);
    return client;
  };
  return { relays, open };
}

/** A client that reaches the server through a relay. */
async function connectThrough(link: Link, serve: (socket: Socket) => void): Promise<Socket> {
  return (await relayed(link, serve)).open();
}

/** Sends so many bytes to a server that sends them back, and waits for them. */
async function exchange(client: Socket, bytes: number): Promise<void> {
  client.write(Buffer.alloc(bytes));
  for (let left = bytes; left > 0;) {
    const [chunk] = (await once(client, "data")) as [Buffer];
    left -= chunk.length;
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot read the port");
  return address.port;
}

describe("relay", () => {
  beforeEach(({ skip }) => skip(!hasCompiler, "there is no C compiler on this machine"));

  it.each([
    ["a link of no length", { rttMs: 0, megabitsPerSecond: 0 }],
    ["a long and narrow link", { rttMs: 10, megabitsPerSecond: 400 }],
  ])("carries all bytes both ways over %s, each way to its own end", async (_name, link) => {
    const bytes = randomBytes(3_000_000);
    const answer = randomBytes(2_000_000);
    const received = Promise.withResolvers<Buffer>();
    const client = await connectThrough(link, (socket) => {
      // Only when the client has ended does the answer begin.
      void buffer(socket).then((all) => {
        received.resolve(all);
        socket.end(answer);
      });
    });
    client.end(bytes);
    expect((await buffer(client)).equals(answer)).toBe(true);
    expect((await received.promise).equals(bytes)).toBe(true);
  });

  it("breaks off one side when the other does", async () => {
    const link = { rttMs: 4, megabitsPerSecond: 100 };
    const client = await connectThrough(link, (socket) => {
      socket.once("data", () => socket.resetAndDestroy());
    });
    client.write("x");
    const [error] = await once(client, "error");
    expect(error).toMatchObject({ code: "ECONNRESET" });
  });

  const direct: Link = { rttMs: 0, megabitsPerSecond: 0 };
  const echo = (socket: Socket): void => {
    socket.on("error", () => {});
    socket.pipe(socket);
  };

  it("breaks the busiest connection when told so, and then the next", async () => {
    const { relays, open } = await relayed(direct, echo);
    const [calm, busy] = [open(), open()];
    await exchange(calm, 1000);
    await exchange(busy, 2000);
    relays.tell("break the busiest");
    expect(await once(busy, "error")).toMatchObject([{ code: "ECONNRESET" }]);
    await exchange(calm, 1000);
    relays.tell("break the busiest");
    expect(await once(calm, "error")).toMatchObject([{ code: "ECONNRESET" }]);
  });

  it("breaks all connections, and lets nobody through until it is opened", async () => {
    const { relays, open } = await relayed({ ...direct, rttMs: 20 }, echo);
    const clients = [open(), open()];
    for (const client of clients) await exchange(client, 1000);
    // One for which the handshake of TCP is not over yet.
    const late = open();
    await once(late, "connect");
    const broken = [...clients, late].map((client) => once(client, "error"));
    relays.tell("break all, and refuse");
    for (const reason of await Promise.all(broken)) {
      expect(reason).toMatchObject([{ code: "ECONNRESET" }]);
    }
    expect(await once(open(), "error")).toMatchObject([{ code: "ECONNRESET" }]);
    relays.tell("open");
    // A connection may be there before the command is: so until one gets through.
    const getsThrough = async (): Promise<void> => exchange(open(), 1000).catch(getsThrough);
    await getsThrough();
  });
});
