import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { createDial } from "../../../protocol/node/dial-carrier.ts";
import {
  type NodeEdgeOptions,
  type RunningEdge,
  serveEdge,
} from "../../../edge-worker/node/serve.ts";
import { Admission, placeOf } from "../../../protocol/admission.ts";
import { ByteWriter } from "../../../protocol/bytes.ts";
import { appendFrame, decodeFrames, type Frame } from "../../../protocol/frame.ts";
import { FrameType, GoAwayReason } from "../../../protocol/wire.ts";
import { edgeDoor } from "../../support/edge-door.ts";
import { hex } from "../../support/hex.ts";
import { type RecordedLog, recordedLog } from "../../support/log.ts";
import { askRaw, pageRequest, upgradeRequest } from "../../support/raw-http.ts";
import { helloWith } from "../../support/session-pair.ts";

const PATH = "/some/path";
const admission = new Admission("test", "a secret long enough");
const edges: RunningEdge[] = [];
const sockets: WebSocket[] = [];

async function startEdge(
  changes: Partial<NodeEdgeOptions> = {},
): Promise<{ edge: RunningEdge; log: RecordedLog }> {
  const log = recordedLog();
  const edge = await serveEdge({
    ...edgeDoor,
    access: { keys: [{ id: "test", secret: "a secret long enough" }], rules: [] },
    allowPrivate: false,
    connectTimeoutMs: 5000,
    maxDials: 512,
    log,
    ...changes,
  });
  edges.push(edge);
  return { edge, log };
}

const token = (path = PATH): Promise<string> =>
  admission.issue({ host: "127.0.0.1", path }, Date.now());

/** A WebSocket that was admitted and has said nothing yet. */
async function openSocket({ port }: RunningEdge): Promise<WebSocket> {
  const headers = { authorization: `Bearer ${await token()}` };
  const socket = new WebSocket(`ws://127.0.0.1:${port}${PATH}`, { headers });
  sockets.push(socket);
  await once(socket, "open");
  return socket;
}

/** The frames that come in until the socket is closed, and the code it is closed with. */
async function readToClose(socket: WebSocket): Promise<{ frames: Frame[]; code: number }> {
  const frames: Frame[] = [];
  socket.on("message", (data: Buffer) => void frames.push(...decodeFrames(data)));
  const [code] = (await once(socket, "close")) as [number];
  return { frames, code };
}

function helloMessage(): Uint8Array {
  const writer = new ByteWriter();
  appendFrame(writer, { type: FrameType.Hello, hello: helloWith() });
  return writer.take();
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  for (const edge of edges.splice(0)) await edge.stop(0);
});

describe("serveEdge()", () => {
  it("serves /healthz and a front page to anybody", async () => {
    const { edge } = await startEdge();
    expect(await askRaw(edge.port, pageRequest("/healthz"))).toMatch(
      /^HTTP\/1.1 200 OK\r\n[^]*ok\n$/,
    );
    expect(await askRaw(edge.port, pageRequest("/"))).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });

  it("greets an agent that was admitted", async () => {
    const { edge } = await startEdge();
    const socket = await openSocket(edge);
    const answer = once(socket, "message");
    socket.send(helloMessage());
    const [hello] = decodeFrames((await answer)[0] as Buffer);
    expect(hello).toMatchObject({ type: FrameType.Hello, hello: { runtime: "node" } });
  });

  it("admits an agent that dials an IPv6 address", async () => {
    const { edge } = await startEdge({ listen: [{ host: "::1", port: 0 }] });
    const url = new URL(`ws://[::1]:${edge.port}/some/path`);
    const open = await createDial(url, admission)(new AbortController().signal);
    const closed = Promise.withResolvers<number>();
    const carrier = open({ message: () => {}, closed: closed.resolve });
    carrier.close(1000, "");
    expect(await closed.promise).toBe(1000);
  });

  it("rejects with EADDRINUSE when the port is in use", async () => {
    const { edge } = await startEdge();
    await expect(startEdge({ listen: edge.listen })).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});

describe("serveEdge() to a stranger", () => {
  it("answers an Upgrade without a token, to the byte, as a page that is not there", async () => {
    const { edge } = await startEdge();
    const page = await askRaw(edge.port, pageRequest("/no/such/page"));
    expect(page).toMatch(/^HTTP\/1.1 404 Not Found\r\n/);
    expect(await askRaw(edge.port, upgradeRequest(PATH))).toBe(page);
  });

  it("answers wrong, misplaced and replayed tokens, to the byte, alike", async () => {
    const { edge, log } = await startEdge();
    const page = await askRaw(edge.port, upgradeRequest("/no/such/page"));
    const wrong = await new Admission("test", "another secret, as long").issue(
      placeOf(new URL(`ws://127.0.0.1${PATH}`)),
      Date.now(),
    );
    const used = await token();
    const socket = connect(edge.port, "127.0.0.1");
    socket.write(upgradeRequest(PATH, used));
    expect(String((await once(socket, "data"))[0])).toMatch(/^HTTP\/1.1 101 /);
    for (const bearer of ["garbage", wrong, await token("/other"), used]) {
      expect(await askRaw(edge.port, upgradeRequest(PATH, bearer))).toBe(page);
    }
    // The one that was admitted, and nothing about those that were not.
    expect(log.lines).toEqual(['info A carrier was admitted {"from":"127.0.0.1"}']);
    socket.destroy();
  });

  it("takes a token once, of many requests at the same time", async () => {
    const { edge } = await startEdge();
    const request = upgradeRequest(PATH, await token());
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const socket = connect(edge.port, "127.0.0.1");
        socket.write(request);
        const [first] = (await once(socket, "data")) as [Buffer];
        socket.destroy();
        return first.toString().slice(9, 12);
      }),
    );
    expect(answers.toSorted()).toEqual(["101", ...Array.from({ length: 7 }, () => "404")]);
  });

  it.each([
    ["garbage", "\u0005\u0001\u0000\r\n\r\n", "400"],
    ["a Host that is none", upgradeRequest(PATH).replace("Host: 127.0.0.1", "Host: a b"), "400"],
    ["an Upgrade to something else", upgradeRequest(PATH).replace("websocket", "h2c"), "404"],
    ["a POST", upgradeRequest(PATH).replace("GET", "POST"), "404"],
    ["a target that is a whole URL", upgradeRequest("http://other.example/"), "200"],
  ])("survives %s", async (_what, request, status) => {
    const { edge } = await startEdge();
    expect((await askRaw(edge.port, request)).slice(9, 12)).toBe(status);
    expect((await askRaw(edge.port, pageRequest("/"))).slice(9, 12)).toBe("200");
  });

  it("survives one that resets while it is answered", async () => {
    const { edge } = await startEdge();
    for (const request of [upgradeRequest(PATH), upgradeRequest(PATH, await token())]) {
      const socket = connect(edge.port, "127.0.0.1");
      await once(socket, "connect");
      socket.write(request, () => socket.resetAndDestroy());
      await once(socket, "close");
    }
    expect((await askRaw(edge.port, pageRequest("/"))).slice(9, 12)).toBe("200");
  });

  it("keeps no connection to one that does not close", { timeout: 10_000 }, async () => {
    const { edge } = await startEdge();
    const socket = connect({ port: edge.port, host: "127.0.0.1", allowHalfOpen: true });
    socket.write(upgradeRequest(PATH));
    await once(socket.resume(), "end");
    // An end that is gone answers what it is sent with a reset.
    const gone = new Promise((resolve) => socket.on("error", () => {}).once("close", resolve));
    const pour = (): void => {
      if (!socket.destroyed) socket.write("more", () => setImmediate(pour));
    };
    pour();
    await gone;
  });
});

describe("serveEdge() on a carrier that breaks the protocol", () => {
  it("closes with 1003 on a text message", async () => {
    const { edge } = await startEdge();
    const socket = await openSocket(edge);
    socket.send("text");
    expect((await readToClose(socket)).code).toBe(1003);
  });

  it.each([
    ["garbage", hex("ff ff ff")],
    ["a frame before HELLO", hex("02 000008 00000000 0000000000000000")],
  ])("sends GOAWAY and closes with 1002 on %s", async (_what, message) => {
    const { edge } = await startEdge();
    const socket = await openSocket(edge);
    socket.send(message);
    const { frames, code } = await readToClose(socket);
    expect(frames).toMatchObject([{ type: FrameType.GoAway, reason: GoAwayReason.ProtocolError }]);
    expect(code).toBe(1002);
  });

  it("closes on a message beyond MAX_MESSAGE, and lives on", async () => {
    const { edge } = await startEdge();
    const socket = await openSocket(edge);
    socket.on("error", () => {});
    socket.send(new Uint8Array(1_048_577));
    expect((await readToClose(socket)).code).toBe(1009);
    expect((await askRaw(edge.port, pageRequest("/"))).slice(9, 12)).toBe("200");
  });
});

describe("RunningEdge.stop()", () => {
  it("leaves nothing listening", async () => {
    const { edge } = await startEdge();
    await edge.stop(0);
    const [error] = await once(connect(edge.port, "127.0.0.1"), "error");
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
  });

  it("asks agents to leave, and closes the carriers of those that stay", async () => {
    const { edge } = await startEdge();
    const socket = await openSocket(edge);
    const greeted = once(socket, "message");
    socket.send(helloMessage());
    await greeted;
    const closed = readToClose(socket);
    await edge.stop(100);
    const { frames, code } = await closed;
    expect(frames).toMatchObject([
      { type: FrameType.GoAway, reason: GoAwayReason.Drain, drainMs: 100 },
    ]);
    expect(code).toBe(1000);
  });

  it("closes a carrier that has not said HELLO", { timeout: 5000 }, async () => {
    const { edge } = await startEdge();
    const socket = await openSocket(edge);
    const closed = readToClose(socket);
    await edge.stop(0);
    await closed;
  });
});
