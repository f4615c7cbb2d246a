import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { readPlainly } from "../../../protocol/node/socket-reader.ts";
import { TcpChannel } from "../../../protocol/node/tcp-channel.ts";

const LENGTH = 4_000_000;

/** A channel that nobody reads, full up, and the client that has filled it. */
async function fullChannel(watchMs?: number) {
  const server = createServer({ allowHalfOpen: true });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect(port, "127.0.0.1");
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [Socket];
  onTestFinished(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  const channel = new TcpChannel(readPlainly(socket), watchMs);
  client.write(new Uint8Array(LENGTH));
  // A paused socket reads ahead once more before libuv is told to stop.
  await expect.poll(() => socket.readableLength).toBeGreaterThanOrEqual(65_536);
  return { channel, client, socket };
}

describe("PauseWatch", () => {
  it("tells of an RST that comes while nobody reads", async () => {
    const { channel, client } = await fullChannel(10);
    const failed = new Promise((resolve) => channel.onceFailed(resolve));
    client.resetAndDestroy();
    expect(await failed).toMatchObject({ name: "StreamError", reason: "connection-reset" });
  });

  it("puts nothing on the wire, and leaves what waits for its reader", async () => {
    const { channel, client, socket } = await fullChannel(1);
    const write = vi.spyOn(socket, "write");
    await expect.poll(() => write.mock.calls.length).toBeGreaterThan(2);
    expect(socket.bytesWritten).toBe(0);
    let length = 0;
    while (length < LENGTH) length += (await channel.read())?.length ?? 0;
    expect(length).toBe(LENGTH);
    client.end();
    expect(await channel.read()).toBeNull();
    expect(client.bytesRead).toBe(0);
  });

  it("stays silent after our own FIN", async () => {
    const { channel, client, socket } = await fullChannel(1);
    const errors: Error[] = [];
    socket.on("error", (error) => errors.push(error));
    const finished = once(client.resume(), "end");
    await channel.end();
    await finished;
    let length = 0;
    while (length < LENGTH) length += (await channel.read())?.length ?? 0;
    expect(errors).toEqual([]);
  });
});
