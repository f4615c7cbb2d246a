import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { serveAgent } from "../../../client-agent/node/serve-agent.ts";
import { serveWorkerdEdge } from "../../../edge-worker/node/serve-workerd.ts";
import { Admission } from "../../../protocol/admission.ts";
import { edgeDoor } from "../../support/edge-door.ts";
import { fill } from "../../support/fill.ts";
import { hasProc, socketsOf, until, workerdOf } from "../../support/linux-process.ts";
import { recordedLog } from "../../support/log.ts";
import { openGate } from "../../support/open-gate.ts";
import { readExactly, socksConnect } from "../../support/socks-client.ts";
import { startTarget } from "../../support/target.ts";
import { udpSettings } from "../../support/udp-settings.ts";

const SECRET = "a secret long enough";
const STREAMS = 8;

/** workerd with an agent; `hasAtMost()` counts the descriptors of workerd that are sockets. */
async function start() {
  const edge = await serveWorkerdEdge({
    ...edgeDoor,
    bridge: "durable",
    access: { keys: [{ id: "test", secret: SECRET }], rules: [] },
    allowPrivate: true,
    connectTimeoutMs: 5000,
    log: recordedLog(),
  });
  const agent = await serveAgent({
    listen: { host: "127.0.0.1", port: 0 },
    edges: [new URL(`ws://127.0.0.1:${edge.port}/`)],
    admission: new Admission("test", SECRET),
    users: new Map(),
    handshakeTimeoutMs: 30_000,
    gate: openGate,
    udp: udpSettings,
    isolate: "none",
    open: "honest",
    log: recordedLog(),
  });
  onTestFinished(async () => {
    await agent.stop(0);
    await edge.stop(0);
  });
  const pid = workerdOf(process.pid);
  const openAll = (port: number): Promise<Socket[]> =>
    Promise.all(
      Array.from({ length: STREAMS }, async () => {
        const { socket, rep } = await socksConnect(agent.listen.port, "127.0.0.1", port);
        expect(rep).toBe(0);
        onTestFinished(() => void socket.destroy());
        return socket.on("error", () => {});
      }),
    );
  return { openAll, countSockets: () => socketsOf(pid) };
}

// Only Linux tells which descriptors another process has.
describe.skipIf(!hasProc)("SocketChannel", () => {
  it("lets go of a connection once both directions have ended", async () => {
    const { openAll, countSockets } = await start();
    const target = await startTarget((socket) => void socket.pipe(socket));
    onTestFinished(() => target.close());
    const [first] = await openAll(target.port);
    const busy = countSockets();
    const others = await openAll(target.port);
    expect(countSockets()).toBeGreaterThanOrEqual(busy + STREAMS);
    for (const socket of others) {
      socket.end("a question");
      expect(Buffer.from(await readExactly(socket, 10)).toString()).toBe("a question");
      socket.resume();
      await once(socket, "close");
    }
    await until(() => countSockets() <= busy);
    expect(first?.destroyed).toBe(false);
  });

  it("drops what a target does not read, when the stream is reset", async () => {
    const { openAll, countSockets } = await start();
    const target = await startTarget((socket) => void socket.pause());
    onTestFinished(() => target.close());
    await openAll(target.port);
    const busy = countSockets();
    const others = await openAll(target.port);
    await Promise.all(others.map(fill));
    for (const socket of others) socket.resetAndDestroy();
    await until(() => countSockets() <= busy);
  });
});
