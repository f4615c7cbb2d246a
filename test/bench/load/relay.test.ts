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

/** A client that reaches the server through a relay. */
async function connectThrough(link: Link, serve: (socket: Socket) => void): Promise<Socket> {
  const program = join(tempFolder(), "load");
  buildLoad(program);
  const server = createServer({ allowHalfOpen: true }, serve).listen(0, "127.0.0.1");
  await once(server, "listening");
  const relays = new Relays(program, link);
  const port = await relays.reach(portOf(server));
  const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  onTestFinished(async () => {
    client.destroy();
    server.close();
    await relays.stop();
  });
  return client;
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
});
