import { agentSettings } from "../support/agent-settings.ts";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { lookup } from "node:dns/promises";
import { connect, type Socket } from "node:net";
import { hostname } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningAgent, serveAgent } from "../../client-agent/node/serve-agent.ts";
import type { UpstreamEntries } from "../../edge-worker/egress/upstream/upstream-settings.ts";
import type { Outbound } from "../../edge-worker/egress/outbound.ts";
import type { AccessEntries } from "../../edge-worker/users/access.ts";
import type { RunningEdge } from "../../edge-worker/node/serve.ts";
import { Admission } from "../../protocol/admission.ts";
import type { Hello } from "../../protocol/hello.ts";
import { recordedLog } from "../support/log.ts";
import { connectRawAgent } from "../support/raw-agent.ts";
import { startSilentTarget } from "../support/silent-target.ts";
import { readExactly, readToEnd, socksConnect } from "../support/socks-client.ts";
import { closedPort, startTarget } from "../support/target.ts";
import { describeDrain } from "./drain.ts";
import { describeNames } from "./names.ts";

/** How a suite starts its edge; both runtimes take the same. */
export interface EdgeUnderTest {
  readonly access: AccessEntries;
  readonly allowPrivate: boolean;
  readonly connectTimeoutMs: number;
  readonly upstreams?: UpstreamEntries;
  readonly stateFolder?: string;
  /** The runtime's own, unless a suite is about others. */
  readonly outbound?: Outbound;
}

export type StartEdge = (options: EdgeUnderTest) => Promise<RunningEdge>;

const MEGABYTE = 1_048_576;
const BULK_BYTES = 200 * MEGABYTE;
const CONNECT_TIMEOUT_MS = 1000;

/** What every edge does for an agent, whatever it runs on; `hello` is what it says of itself. */
export function describeEdge(name: string, start: StartEdge, hello: Partial<Hello>): void {
  const secret = randomBytes(32).toString("base64url");
  const keyId = "test";
  let edge: RunningEdge;
  let agent: RunningAgent;

  const startAgent = (port: number): Promise<RunningAgent> =>
    serveAgent({
      ...agentSettings,
      edges: [new URL(`ws://127.0.0.1:${port}/`)],
      admission: new Admission(keyId, secret),
      log: recordedLog(),
    });

  describe(name, () => {
    beforeAll(async () => {
      edge = await start({
        access: { keys: [{ id: keyId, secret }], rules: [] },
        allowPrivate: true,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
      });
      agent = await startAgent(edge.port);
    });
    afterAll(async () => {
      await agent.stop(0);
      await edge.stop(0);
    });

    const dial = (host: string, port: number) => socksConnect(agent.listen.port, host, port);

    describe("bulk", () => {
      it("brings 200 MB down unchanged", async () => {
        const { sent, target } = await startSource(BULK_BYTES);
        const { socket } = await dial("127.0.0.1", target.port);
        const hash = createHash("sha256");
        for await (const chunk of socket) hash.update(chunk as Buffer);
        expect(hash.digest("hex")).toBe(await sent);
        await target.close();
      });

      it("takes 200 MB up unchanged", async () => {
        const received = Promise.withResolvers<string>();
        const target = await startTarget((socket) => {
          const hash = createHash("sha256");
          socket.on("data", (chunk: Buffer) => hash.update(chunk));
          socket.on("end", () => {
            received.resolve(hash.digest("hex"));
            socket.end();
          });
        });
        const { socket } = await dial("127.0.0.1", target.port);
        const sent = await sendPattern(socket, BULK_BYTES);
        await readToEnd(socket);
        expect(await received.promise).toBe(sent);
        await target.close();
      });
    });

    it("serves 200 streams at once, each with its own bytes", async () => {
      const target = await startTarget((socket) => socket.pipe(socket));
      const echoes = Array.from({ length: 200 }, async (_, i) => {
        const { socket, rep } = await dial("127.0.0.1", target.port);
        const bytes = Buffer.alloc(20_000, i);
        socket.end(bytes);
        const echo = await readToEnd(socket);
        return rep === 0 && echo.equals(bytes);
      });
      expect((await Promise.all(echoes)).every(Boolean)).toBe(true);
      await target.close();
    });

    describe("ends", () => {
      it("delivers what the target sends after the client's FIN", async () => {
        const target = await startTarget((socket) => {
          socket.on("data", () => {});
          socket.on("end", () => socket.end("late bytes"));
        });
        const { socket } = await dial("127.0.0.1", target.port);
        socket.end("request");
        expect((await readToEnd(socket)).toString()).toBe("late bytes");
        await target.close();
      });

      it("delivers what the client sends after the target's FIN", async () => {
        const received = Promise.withResolvers<string>();
        const target = await startTarget((socket) => {
          socket.end("over");
          void readToEnd(socket).then((bytes) => received.resolve(bytes.toString()));
        });
        const { socket } = await dial("127.0.0.1", target.port);
        expect((await readToEnd(socket)).toString()).toBe("over");
        socket.end("late bytes");
        expect(await received.promise).toBe("late bytes");
        await target.close();
      });

      it("closes the target when the client breaks off", async () => {
        const target = await startTarget();
        const incoming = target.next();
        const { socket } = await dial("127.0.0.1", target.port);
        const atTarget = await incoming;
        atTarget.resume();
        const closed = closedOf(atTarget);
        socket.resetAndDestroy();
        // Node resets the target at once. workerd can only close it, which is a FIN at first; what
        // is sent after that must be answered by a reset, or the edge has kept the connection.
        const pour = (): void => {
          if (!atTarget.destroyed) atTarget.write("x", () => setImmediate(pour));
        };
        atTarget.once("end", pour);
        await closed;
        await target.close();
      });

      it("closes the client when the target breaks off", async () => {
        const target = await startTarget();
        const incoming = target.next();
        const { socket } = await dial("127.0.0.1", target.port);
        socket.resume();
        const closed = closedOf(socket);
        (await incoming).resetAndDestroy();
        await closed;
        await target.close();
      });
    });

    describe("a reader that stands still", () => {
      it("stops its source within the windows, and no other stream", async () => {
        let written = 0;
        const target = await startTarget((socket) => {
          const chunk = Buffer.alloc(65_536);
          const pour = (): void => {
            if (socket.destroyed) return;
            written += chunk.length;
            if (socket.write(chunk)) setImmediate(pour);
            else socket.once("drain", pour);
          };
          pour();
        });
        const echo = await startTarget((socket) => socket.pipe(socket));
        const stalled = await dial("127.0.0.1", target.port);
        stalled.socket.pause();
        const other = await dial("127.0.0.1", echo.port);
        // Each echo is a full trip through both ends: after many of them the source has stopped.
        let before = -1;
        for (let still = 0; still < 100;) {
          other.socket.write(Buffer.alloc(1000, 7));
          await readExactly(other.socket, 1000);
          still = written === before ? still + 1 : 0;
          before = written;
        }
        // Kernel buffers of four sockets beside the stream's window.
        expect(written).toBeLessThan(32 * MEGABYTE);
        stalled.socket.destroy();
        other.socket.destroy();
        await target.close();
        await echo.close();
      });
    });

    describe("addresses", () => {
      it.each([
        ["an IPv4 address", "127.0.0.1", "127.0.0.1"],
        ["an IPv6 address", "::1", "::1"],
        ["a name", "localhost", "127.0.0.1"],
      ])("reaches %s", async (_what, host, listenOn) => {
        const target = await startTarget((socket) => socket.end("here"), listenOn);
        const { socket, rep } = await dial(host, target.port);
        expect(rep).toBe(0);
        expect((await readToEnd(socket)).toString()).toBe("here");
        await target.close();
      });
    });

    it("says in HELLO what it runs on, and what it keeps of a session without a carrier", async () => {
      const url = new URL(`ws://127.0.0.1:${edge.port}/`);
      const raw = await connectRawAgent(url, new Admission(keyId, secret));
      expect(raw.hello).toMatchObject(hello);
      await raw.close();
    });

    describeNames(() => edge, new Admission(keyId, secret));
    describeDrain(
      () => {
        const access = { keys: [{ id: keyId, secret }], rules: [] };
        return start({ access, allowPrivate: true, connectTimeoutMs: CONNECT_TIMEOUT_MS });
      },
      new Admission(keyId, secret),
    );

    describe("failures", () => {
      it("answers REP 5 when the target refuses", async () => {
        const { rep, socket } = await dial("127.0.0.1", await closedPort());
        expect(rep).toBe(5);
        expect(await readToEnd(socket)).toHaveLength(0);
      });

      it("answers REP 4 for a name that does not exist", async () => {
        const { rep, socket } = await dial("no-such-name.invalid", 80);
        expect(rep).toBe(4);
        socket.destroy();
      });

      it("answers REP 6 when the target stays silent", async () => {
        const silent = await startSilentTarget();
        const { rep, socket } = await dial("127.0.0.1", silent.port);
        expect(rep).toBe(6);
        socket.destroy();
        await silent.close();
      });

      it("answers REP 2 for a target the policy refuses", async () => {
        const { rep, socket } = await dial("127.0.0.1", 25);
        expect(rep).toBe(2);
        socket.destroy();
      });
    });
  });

  describe(`${name} without private targets`, () => {
    let strict: RunningEdge;
    let strictAgent: RunningAgent;
    beforeAll(async () => {
      const connectTimeoutMs = CONNECT_TIMEOUT_MS;
      const access = { keys: [{ id: keyId, secret }], rules: [] };
      strict = await start({ access, allowPrivate: false, connectTimeoutMs });
      strictAgent = await startAgent(strict.port);
    });
    afterAll(async () => {
      await strictAgent.stop(0);
      await strict.stop(0);
    });

    it("answers REP 2 for loopback, as a literal and as a name", async () => {
      // Only loopback is asked for: a hole in the policy would show, and reach nothing else.
      const target = await startTarget();
      for (const host of [
        "127.0.0.1",
        "::1",
        "localhost",
        "127.1",
        "0x7f.1",
        "2130706433",
        "localhost.",
      ]) {
        const { rep, socket } = await socksConnect(strictAgent.listen.port, host, target.port);
        expect(rep, host).toBe(2);
        socket.destroy();
      }
      await target.close();
    });

    it("does not reach a name that resolves to this machine", async (context) => {
      const name = hostname();
      const { address } = await lookup(name).catch(() => ({ address: "" }));
      if (!address.startsWith("127."))
        context.skip("this machine's name is not a loopback address");
      const target = await startTarget(() => {}, address);
      const { rep, socket } = await socksConnect(strictAgent.listen.port, name, target.port);
      expect(rep).not.toBe(0);
      expect(target.sockets.size).toBe(0);
      socket.destroy();
      await target.close();
    });

    it("answers a stranger's Upgrade as it answers any wrong path", async () => {
      const forged = await new Admission(keyId, "another secret, as long").issue(
        { host: "127.0.0.1", path: "/" },
        Date.now(),
      );
      const [wrongPath, wrongSecret] = await Promise.all([
        knock(strict.port, "/no/such/path", undefined),
        knock(strict.port, "/some/path", forged),
      ]);
      expect(wrongSecret).toEqual(wrongPath);
      expect(wrongPath).toMatch(/^HTTP\/1.1 404 /);
    });
  });
}

/** The whole answer to an Upgrade request, less the Date, which is not the edge's to choose. */
async function knock(port: number, path: string, token: string | undefined): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const authorization = token === undefined ? "" : `Authorization: Bearer ${token}\r\n`;
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${authorization}\r\n`,
  );
  let text = "";
  for await (const chunk of socket) {
    text += String(chunk);
    if (text.includes("</html>\n")) break;
  }
  return text.replace(/\r\nDate: [^\r]*/i, "");
}

/** Resolves once the socket is gone, for whatever reason. */
function closedOf(socket: Socket): Promise<void> {
  socket.on("error", () => {});
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** A target that sends `bytes` patterned bytes and ends; `sent` is their SHA-256. */
async function startSource(bytes: number) {
  const sent = Promise.withResolvers<string>();
  const target = await startTarget((socket) => {
    socket.resume();
    void sendPattern(socket, bytes).then(sent.resolve);
  });
  return { target, sent: sent.promise };
}

/** Writes `bytes` bytes of a pattern that repeats nowhere near a frame's size; returns their hash. */
async function sendPattern(socket: Socket, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  const pattern = randomBytes(MEGABYTE + 17);
  for (let left = bytes; left > 0;) {
    const chunk = pattern.subarray(0, Math.min(left, pattern.length));
    hash.update(chunk);
    left -= chunk.length;
    if (!socket.write(chunk)) await once(socket, "drain");
  }
  socket.end();
  return hash.digest("hex");
}
