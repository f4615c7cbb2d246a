import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { listen, type Listener } from "../../../client-agent/node/listen.ts";
import { relay, type ByteChannel } from "../../../protocol/channel.ts";
import { FakeChannel } from "../../support/fake-channel.ts";
import { readToEnd } from "../../support/socks-client.ts";

const listeners: Listener[] = [];
const sockets: Socket[] = [];

async function listenOn(
  host: string,
  serve: (client: ByteChannel) => Promise<void>,
): Promise<Listener> {
  const listener = await listen(host, 0, serve);
  listeners.push(listener);
  return listener;
}

/** A client, which takes a reset as it comes. */
function dial(port: number): Socket {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  sockets.push(socket);
  return socket;
}

const idle = (): Promise<void> => Promise.resolve();

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listener of listeners.splice(0)) listener.destroy();
});

describe("listen()", () => {
  it.each(["127.0.0.1", "::1"])("takes any free port of %s when told port 0", async (host) => {
    const one = await listenOn(host, idle);
    const another = await listenOn(host, idle);
    expect(one).toMatchObject({ host });
    expect(one.port).toBeGreaterThan(0);
    expect(another.port).not.toBe(one.port);
  });

  it("serves each connection as a channel of its own", async () => {
    const { port } = await listenOn("127.0.0.1", async (client) => {
      const target = new FakeChannel(Buffer.from("hello"));
      target.farEnd();
      await relay(client, target);
    });
    const clients = [dial(port).end(), dial(port).end()];
    const answers = await Promise.all(clients.map(readToEnd));
    expect(answers.map(String)).toEqual(["hello", "hello"]);
  });

  it("keeps a half-closed client's connection open for the answer", async () => {
    const { port } = await listenOn("127.0.0.1", async (client) => {
      while ((await client.read()) !== null);
      await client.write(Buffer.from("after your FIN"));
      await client.end();
    });
    const socket = dial(port).end("request");
    expect(String(await readToEnd(socket))).toBe("after your FIN");
  });

  it("rejects with EADDRINUSE when the port is in use", async () => {
    const { port } = await listenOn("127.0.0.1", idle);
    const second = listen("127.0.0.1", port, idle);
    await expect(second).rejects.toMatchObject({ code: "EADDRINUSE", port });
  });

  it("lives on when a client resets its connection", async () => {
    const broken = Promise.withResolvers<unknown>();
    const { port } = await listenOn("127.0.0.1", async (client) => {
      await client.read().catch(broken.resolve);
    });
    const socket = dial(port);
    await once(socket, "connect");
    socket.resetAndDestroy();
    expect(await broken.promise).toMatchObject({ reason: "connection-reset" });
    await once(dial(port).end(), "connect");
  });
});

describe("Listener.close()", () => {
  it("takes no new connections while those that are open go on", async () => {
    const listener = await listenOn("127.0.0.1", async (client) => {
      await client.write((await client.read()) ?? new Uint8Array());
    });
    const socket = dial(listener.port);
    await once(socket, "connect");
    listener.close();
    const [error] = await once(dial(listener.port), "error");
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
    socket.write("still here");
    expect(String((await once(socket, "data"))[0])).toBe("still here");
  });
});

describe("Listener.destroy()", () => {
  it("cuts the open connections too, and may be called again", async () => {
    const listener = await listenOn(
      "127.0.0.1",
      async (client) => void (await client.read().catch(() => {})),
    );
    const socket = dial(listener.port);
    await once(socket, "connect");
    // Not events.once(), which rejects for the reset that is wanted here.
    const closed = new Promise((resolve) => socket.once("close", resolve));
    listener.close();
    listener.destroy();
    listener.destroy();
    await closed;
  });
});
