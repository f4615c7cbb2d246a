import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { drainEdge } from "../../../cli/deploy/drain-edge.ts";
import { serveWorkerdEdge } from "../../../edge-worker/node/serve-workerd.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { Admission } from "../../../protocol/admission.ts";
import { Command } from "../../../protocol/wire.ts";
import { edgeDoor } from "../../support/edge-door.ts";
import { recordedLog } from "../../support/log.ts";
import { connectRawAgent } from "../../support/raw-agent.ts";
import { closedPort, startTarget } from "../../support/target.ts";

const secret = "a secret long enough";
const admission = new Admission("test", secret);
const { signal } = new AbortController();
const nothing = new Uint8Array();

/** A server that answers each connection with these lines. */
async function startServer(...lines: readonly string[]): Promise<URL> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(`${lines.join("\r\n")}\r\n\r\n`));
  });
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const address = server.address();
  return new URL(`ws://127.0.0.1:${typeof address === "object" ? address?.port : 0}/`);
}

/** A Worker on workerd, and streams by it to an echo. */
async function startWorker() {
  const edge = await serveWorkerdEdge({
    listen: edgeDoor.listen,
    access: { keys: [{ id: "test", secret }], rules: [] },
    allowPrivate: true,
    connectTimeoutMs: 5000,
    maxDials: 16,
    bridge: "durable",
    log: recordedLog(),
  });
  onTestFinished(() => edge.stop(0));
  const url = new URL(`ws://127.0.0.1:${edge.port}/`);
  const echo = await startTarget((socket) => socket.pipe(socket));
  onTestFinished(() => echo.close());
  const openStream = async () => {
    const agent = await connectRawAgent(url, admission);
    const address = parseAddress("127.0.0.1", echo.port);
    const { stream } = agent.session.open(Command.Connect, address, nothing);
    await stream.answer();
    return { agent, stream };
  };
  return { url, openStream };
}

describe("drainEdge()", () => {
  it("lets a stream by a Worker end, has its agent leave, and keeps others out meanwhile", async () => {
    const { url, openStream } = await startWorker();
    // Nobody is there who could leave: it goes on serving.
    expect(await drainEdge(url, admission, 20_000, signal)).toBe(0);
    const { agent, stream } = await openStream();

    const draining = drainEdge(url, admission, 20_000, signal);
    expect(await agent.drained).toBe(20_000);
    const refused = { code: "ERR_CARRIER_LOST", message: expect.stringContaining("503") };
    await expect(connectRawAgent(url, admission)).rejects.toMatchObject(refused);
    await stream.write(Uint8Array.of(1, 2, 3));
    expect(await stream.read()).toEqual(Uint8Array.of(1, 2, 3));
    await stream.end();
    expect(await stream.read()).toBeNull();
    await agent.closed;
    expect(await draining).toBe(0);
    await expect(connectRawAgent(url, admission)).rejects.toMatchObject(refused);
  });

  it("goes on to its end at the Worker when whoever asked has gone", async () => {
    const { url, openStream } = await startWorker();
    const { agent } = await openStream();
    const asking = new AbortController();
    const draining = drainEdge(url, admission, 1000, asking.signal);
    expect(await agent.drained).toBe(1000);
    asking.abort();
    await expect(draining).rejects.toThrow();
    await agent.closed;
  });

  it("says so when the version that is there takes it for a carrier", async () => {
    const status = "HTTP/1.1 101 Switching Protocols";
    const url = await startServer(status, "Upgrade: websocket", "Connection: Upgrade");
    await expect(drainEdge(url, admission, 1000, signal)).rejects.toThrow("knows nothing of it");
  });

  it("says what else was answered, or that nobody did", async () => {
    const nobody = new URL(`ws://127.0.0.1:${await closedPort()}/`);
    await expect(drainEdge(nobody, admission, 1000, signal)).rejects.toThrow("ECONNREFUSED");
    const stranger = await startServer("HTTP/1.1 404 Not Found", "Content-Length: 0");
    await expect(drainEdge(stranger, admission, 1000, signal)).rejects.toThrow("it answered 404");
    const other = await startServer("HTTP/1.1 200 OK", "Content-Length: 0");
    await expect(drainEdge(other, admission, 1000, signal)).rejects.toThrow("it answered 200");
  });
});
