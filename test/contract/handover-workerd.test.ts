import { randomBytes } from "node:crypto";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { serveAgent } from "../../client-agent/node/serve-agent.ts";
import { serveWorkerdEdge } from "../../edge-worker/node/serve-workerd.ts";
import { Admission } from "../../protocol/admission.ts";
import { agentSettings } from "../support/agent-settings.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import { connectRawAgent } from "../support/raw-agent.ts";
import { readExactly, socksConnect } from "../support/socks-client.ts";
import { startTarget } from "../support/target.ts";

const key = { id: "test", secret: "a secret long enough" };
const MAX_OPENS = 5;
const STREAMS = 23;
const MEBIBYTE = 1_048_576;
/** What a HELLO says of sessions that end with their carrier. */
const unresumable = { runtime: "workerd", resumeWindow: 0, maxCarriers: 1 };

/** An agent, its edge on workerd whose carriers have a budget, and a target that echoes. */
async function startAll(budget: {
  maxOpens?: number;
  maxMebibytes?: number;
  maxAgeSeconds?: number;
}) {
  const edge = await serveWorkerdEdge({
    ...edgeDoor,
    bridge: "stateless",
    ...budget,
    access: { keys: [key], rules: [] },
    allowPrivate: true,
    connectTimeoutMs: 5000,
    log: recordedLog(),
  });
  const log = recordedLog();
  const url = new URL(`ws://127.0.0.1:${edge.port}/`);
  const admission = new Admission(key.id, key.secret);
  const agent = await serveAgent({ ...agentSettings, edges: [url], admission, log });
  const echo = await startTarget((socket) => void socket.pipe(socket));
  onTestFinished(async () => {
    await agent.stop(0);
    await edge.stop(0);
    await echo.close();
  });
  const connect = () => socksConnect(agent.listen.port, "127.0.0.1", echo.port);
  const sessionCount = () => log.lines.filter((line) => line.startsWith("info Connected")).length;
  /** What the edge says of itself to one more agent. */
  const greeting = async () => {
    const { hello, close } = await connectRawAgent(url, admission);
    await close();
    return hello;
  };
  return { connect, sessionCount, greeting };
}

describe("the stateless bridge on workerd, with few streams for each carrier", () => {
  it("is handed over again and again, and loses no stream", { timeout: 30_000 }, async () => {
    const { connect, sessionCount, greeting } = await startAll({ maxOpens: MAX_OPENS });
    expect(await greeting()).toMatchObject({ ...unresumable, maxOpens: MAX_OPENS, maxBytes: 0 });
    const clients = [];
    for (let i = 0; i < STREAMS; i++) {
      clients.push(await connect());
    }
    expect(clients.map(({ rep }) => rep)).toEqual(clients.map(() => 0));
    // The first as well as the last, on carriers that were left long ago.
    for (const { socket } of clients) {
      socket.write("hello");
      expect(Buffer.from(await readExactly(socket, 5)).toString()).toBe("hello");
    }
    expect(sessionCount()).toBeGreaterThanOrEqual(Math.ceil(STREAMS / MAX_OPENS));
    for (const { socket } of clients) socket.destroy();
  });
});

describe("the stateless bridge on workerd, with few bytes for each carrier", () => {
  it("is handed over when most of them have passed", { timeout: 30_000 }, async () => {
    const { connect, sessionCount, greeting } = await startAll({ maxMebibytes: 1 });
    expect(await greeting()).toMatchObject({ ...unresumable, maxOpens: 0, maxBytes: MEBIBYTE });
    const clients = [];
    for (let i = 0; i < 3; i++) {
      // Half of it goes there, and half comes back.
      const { socket } = await connect();
      const bytes = randomBytes(MEBIBYTE / 2);
      socket.write(bytes);
      expect(Buffer.from(await readExactly(socket, bytes.length)).equals(bytes)).toBe(true);
      clients.push(socket);
      // The next carrier is there before the next stream is.
      await vi.waitUntil(() => sessionCount() === i + 2, { timeout: 10_000 });
    }
    for (const socket of clients) {
      socket.write("hello");
      expect(Buffer.from(await readExactly(socket, 5)).toString()).toBe("hello");
      socket.destroy();
    }
  });
});

describe("the stateless bridge on workerd, with little time for each carrier", () => {
  it("is handed over before that is over, and its streams go on", { timeout: 30_000 }, async () => {
    const { connect, sessionCount, greeting } = await startAll({ maxAgeSeconds: 1 });
    expect(await greeting()).toMatchObject({ ...unresumable, maxAge: 1000, maxBytes: 0 });
    const { socket } = await connect();
    const begun = sessionCount();
    await vi.waitUntil(() => sessionCount() >= begun + 2, { timeout: 10_000 });
    socket.write("hello");
    expect(Buffer.from(await readExactly(socket, 5)).toString()).toBe("hello");
    socket.destroy();
  });
});
