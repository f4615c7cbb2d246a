import { agentSettings } from "../../support/agent-settings.ts";
import { untilConnected } from "../../support/connected.ts";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listen } from "../../../client-agent/node/listen.ts";
import {
  type NodeAgentOptions,
  type RunningAgent,
  serveAgent,
} from "../../../client-agent/node/serve-agent.ts";
import { edgeDoor } from "../../support/edge-door.ts";
import { type RunningEdge, serveEdge } from "../../../edge-worker/node/serve.ts";
import { Admission } from "../../../protocol/admission.ts";
import { type RecordedLog, recordedLog } from "../../support/log.ts";
import { readExactly, readToEnd, socksConnect } from "../../support/socks-client.ts";
import { closedPort, startTarget, type Target } from "../../support/target.ts";

const anyPort = { host: "127.0.0.1", port: 0 };
const admission = new Admission("test", "a secret long enough");

let edge: RunningEdge;
let echo: Target;
let log: RecordedLog;
const agents: RunningAgent[] = [];

/** Starts an agent, and waits until it has its edge unless told not to. */
async function startAgent(
  changes: Partial<NodeAgentOptions> = {},
  waits = true,
): Promise<RunningAgent> {
  const watched = untilConnected(log);
  const agent = await serveAgent({
    ...agentSettings,
    edges: [new URL(`ws://127.0.0.1:${edge.port}/`)],
    admission,
    log: watched.log,
    ...changes,
  });
  if (waits) await watched.connected;
  agents.push(agent);
  return agent;
}

beforeEach(async () => {
  log = recordedLog();
  edge = await serveEdge({
    ...edgeDoor,
    access: { keys: [{ id: "test", secret: "a secret long enough" }], rules: [] },
    allowPrivate: true,
    maxDials: 512,
    connectTimeoutMs: 5000,
    log: recordedLog(),
  });
  echo = await startTarget((socket) => socket.pipe(socket));
});

afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop(0);
  await edge.stop(0);
  await echo.close();
});

/** How a port answers a connection: "open", or the error's code. */
async function knock(port: number): Promise<unknown> {
  const socket = connect(port, "127.0.0.1");
  const knocked = once(socket, "connect").then(
    () => "open",
    (error: Error & { code?: string }) => error.code,
  );
  return knocked.finally(() => socket.destroy());
}

async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  return String(Buffer.from(await readExactly(socket, text.length)));
}

describe("serveAgent()", () => {
  it("carries a client's bytes through the edge", async () => {
    const agent = await startAgent();
    const { socket, rep } = await socksConnect(agent.listen.port, "127.0.0.1", echo.port);
    expect(rep).toBe(0);
    expect(await echoed(socket, "hello")).toBe("hello");
    socket.end();
    expect(await readToEnd(socket)).toHaveLength(0);
  });

  it("gives each user a session of their own when told to keep them apart", async () => {
    const users = new Map([
      ["ann", "a"],
      ["bob", "b"],
    ]);
    const agent = await startAgent({ admin: anyPort, users, isolate: "user" });
    // One is there from the start, for those without a name.
    for (const [name, sessions] of [
      ["ann", 2],
      ["bob", 3],
      ["ann", 3],
    ] as const) {
      const socket = connect(agent.listen.port, "127.0.0.1");
      // RFC 1929, with the first letter of the name as the password.
      const login = [1, 3, ...Buffer.from(name), 1, name.charCodeAt(0)];
      const request = [5, 1, 0, 1, 127, 0, 0, 1, echo.port >> 8, echo.port & 0xff];
      socket.write(Uint8Array.of(5, 1, 2, ...login, ...request));
      // METHOD, STATUS, and REP 0.
      expect([...(await readExactly(socket, 6))]).toEqual([5, 2, 1, 0, 5, 0]);
      await readExactly(socket, 8);
      expect(await echoed(socket, name)).toBe(name);
      const metrics = await fetch(`http://127.0.0.1:${agent.admin?.port}/metrics`);
      expect(await metrics.text()).toContain(`\nedgesocks_edge_up ${sessions}\n`);
      socket.destroy();
    }
  });

  it("serves /metrics when asked to", async () => {
    const agent = await startAgent({ admin: anyPort });
    const { socket } = await socksConnect(agent.listen.port, "127.0.0.1", echo.port);
    const response = await fetch(`http://127.0.0.1:${agent.admin?.port}/metrics`);
    expect(await response.text()).toContain("\nedgesocks_streams 1\n");
    socket.destroy();
  });

  it("serves no admin port unless asked to", async () => {
    expect((await startAgent()).admin).toBeUndefined();
  });

  it("rejects with EADDRINUSE when the SOCKS port is in use", async () => {
    const { listen: taken } = await startAgent();
    const starting = startAgent({ listen: { host: "127.0.0.1", port: taken.port } });
    await expect(starting).rejects.toMatchObject({ code: "EADDRINUSE" });
  });

  it("leaves its SOCKS port closed when the admin port is in use", async () => {
    const taken = await listen("127.0.0.1", 0, () => Promise.resolve());
    const port = await closedPort();
    const starting = startAgent({
      listen: { host: "127.0.0.1", port },
      admin: { host: "127.0.0.1", port: taken.port },
    });
    await expect(starting).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(await knock(port)).toBe("ECONNREFUSED");
    taken.destroy();
  });

  it("names an edge that refuses it, and ends while it waits to try again", async () => {
    const refused = Promise.withResolvers<string>();
    const url = `ws://127.0.0.1:${edge.port}/some/path`;
    const changes: Partial<NodeAgentOptions> = {
      edges: [new URL(url)],
      admission: new Admission("test", "another secret, as long"),
      log: { ...log, warn: refused.resolve },
    };
    const agent = await startAgent(changes, false);
    expect(await refused.promise).toContain(`Cannot use the edge at ${url}: it answered 404 `);
    await agent.stop(0);
  });
});

describe("RunningAgent.stop()", () => {
  it("leaves nothing listening", async () => {
    const agent = await startAgent({ admin: anyPort });
    await agent.stop(0);
    expect(await knock(agent.listen.port)).toBe("ECONNREFUSED");
    expect(await knock(agent.admin?.port ?? 0)).toBe("ECONNREFUSED");
  });

  it("waits for the clients that are open, and takes no new ones", async () => {
    const agent = await startAgent();
    const { socket } = await socksConnect(agent.listen.port, "127.0.0.1", echo.port);
    const stopped = agent.stop(30_000);
    expect(await knock(agent.listen.port)).toBe("ECONNREFUSED");
    expect(await echoed(socket, "still here")).toBe("still here");
    socket.end();
    await stopped;
  });

  it("resets the clients that stay beyond its time: what is cut is not complete", async () => {
    const agent = await startAgent();
    const { socket } = await socksConnect(agent.listen.port, "127.0.0.1", echo.port);
    const ended = new Promise((resolve) => {
      socket.once("end", () => resolve("FIN"));
      socket.once("error", ({ message }) => resolve(message));
    });
    socket.removeAllListeners("readable").resume();
    await agent.stop(0);
    expect(await ended).toBe("read ECONNRESET");
    socket.destroy();
  });

  it("ends at once though the edge has not greeted yet", { timeout: 5000 }, async () => {
    const agent = await startAgent({}, false);
    agents.length = 0;
    await agent.stop(0);
  });

  it("ends the connection to the edge", async () => {
    const agent = await startAgent();
    await agent.stop(0);
    expect(log.lines.at(-1)).toMatch(/^info The session with .* is over/);
  });
});
