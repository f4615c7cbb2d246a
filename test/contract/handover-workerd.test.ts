import { agentSettings } from "../support/agent-settings.ts";
import { describe, expect, it } from "vitest";
import { serveAgent } from "../../client-agent/node/serve-agent.ts";
import { serveWorkerdEdge } from "../../edge-worker/node/serve-workerd.ts";
import { Admission } from "../../protocol/admission.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import { readExactly, socksConnect } from "../support/socks-client.ts";
import { startTarget } from "../support/target.ts";

const key = { id: "test", secret: "a secret long enough" };
const MAX_OPENS = 5;
const STREAMS = 23;

describe("the stateless bridge on workerd, with few streams for each carrier", () => {
  it("is handed over again and again, and loses no stream", { timeout: 30_000 }, async () => {
    const edge = await serveWorkerdEdge({
      ...edgeDoor,
      bridge: "stateless",
      maxOpens: MAX_OPENS,
      access: { keys: [key], rules: [] },
      allowPrivate: true,
      connectTimeoutMs: 5000,
      log: recordedLog(),
    });
    const log = recordedLog();
    const agent = await serveAgent({
      ...agentSettings,
      edges: [new URL(`ws://127.0.0.1:${edge.port}/`)],
      admission: new Admission(key.id, key.secret),
      log,
    });
    const echo = await startTarget((socket) => void socket.pipe(socket));
    const clients = [];
    for (let i = 0; i < STREAMS; i++) {
      clients.push(await socksConnect(agent.listen.port, "127.0.0.1", echo.port));
    }
    expect(clients.map(({ rep }) => rep)).toEqual(clients.map(() => 0));
    // The first as well as the last, on carriers that were left long ago.
    for (const { socket } of clients) {
      socket.write("hello");
      expect(Buffer.from(await readExactly(socket, 5)).toString()).toBe("hello");
    }
    const sessions = log.lines.filter((line) => line.startsWith("info Connected")).length;
    expect(sessions).toBeGreaterThanOrEqual(Math.ceil(STREAMS / MAX_OPENS));
    for (const { socket } of clients) socket.destroy();
    await agent.stop(0);
    await edge.stop(0);
    await echo.close();
  });
});
