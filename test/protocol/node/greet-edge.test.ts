import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { greetEdge } from "../../../protocol/node/greet-edge.ts";
import { serveEdge } from "../../../edge-worker/node/serve.ts";
import { Admission } from "../../../protocol/admission.ts";
import { nodeClock } from "../../../protocol/node/node-clock.ts";
import { PROTOCOL_VERSION } from "../../../protocol/wire.ts";
import { edgeDoor } from "../../support/edge-door.ts";
import { recordedLog } from "../../support/log.ts";
import { closedPort } from "../../support/target.ts";

const SECRET = "a secret long enough";
const admission = new Admission("test", SECRET);
const stops: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function startEdge(): Promise<URL> {
  const edge = await serveEdge({
    ...edgeDoor,
    access: { keys: [{ id: "test", secret: SECRET }], rules: [] },
    allowPrivate: false,
    connectTimeoutMs: 1000,
    maxDials: 16,
    log: recordedLog(),
  });
  stops.push(() => edge.stop(0));
  return new URL(`ws://127.0.0.1:${edge.port}/`);
}

/** A WebSocket server that takes everybody and says nothing. */
async function startSilentEdge(): Promise<{ url: URL; sockets: WebSocketServer }> {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  await once(server.listen(0, "127.0.0.1"), "listening");
  stops.push(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`ws://127.0.0.1:${port}/`), sockets };
}

const greet = (url: URL, signal = new AbortController().signal, as = admission) =>
  greetEdge(url, as, nodeClock, signal);

describe("greetEdge()", () => {
  it("gives what the edge says of itself", async () => {
    const hello = await greet(await startEdge());
    expect(hello).toMatchObject({ version: PROTOCOL_VERSION, runtime: "node" });
  });

  it("leaves nothing behind at the edge", async () => {
    const { url, sockets } = await startSilentEdge();
    const closed = once(sockets, "connection").then(([socket]) => once(socket, "close"));
    const aborter = new AbortController();
    sockets.once("connection", () => aborter.abort());
    await expect(greet(url, aborter.signal)).rejects.toThrow();
    await closed;
  });

  it("tells a refusal from an edge that is not there", async () => {
    const stranger = new Admission("test", "another secret, as long");
    const refused = greet(await startEdge(), undefined, stranger);
    await expect(refused).rejects.toMatchObject({ code: "ERR_ADMISSION" });
    const gone = greet(new URL(`ws://127.0.0.1:${await closedPort()}/`));
    await expect(gone).rejects.toMatchObject({ code: "ERR_CARRIER_LOST" });
  });

  it("rejects when the edge leaves without a HELLO", async () => {
    const { url, sockets } = await startSilentEdge();
    sockets.on("connection", (socket) => socket.close(1000));
    await expect(greet(url)).rejects.toMatchObject({ code: "ERR_CARRIER_LOST" });
  });

  it("rejects when the edge speaks something else", async () => {
    const { url, sockets } = await startSilentEdge();
    const answer = Buffer.from("not a frame at all");
    sockets.on("connection", (socket) => socket.on("message", () => socket.send(answer)));
    await expect(greet(url)).rejects.toThrow(/^Cannot /);
  });
});
