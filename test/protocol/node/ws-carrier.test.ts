import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, request } from "node:http";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { Carrier } from "../../../protocol/carrier.ts";
import { ReadMemory } from "../../../protocol/node/read-memory.ts";
import { adoptSocket } from "../../../protocol/node/socket-reader.ts";
import { WsCarrier, type WsRole } from "../../../protocol/node/ws-carrier.ts";
import { answerUpgrade, newUpgrade } from "../../../protocol/node/ws-handshake.ts";
import { MAX_MESSAGE } from "../../../protocol/wire.ts";
import { hex, toHex } from "../../support/hex.ts";
import { joined, rawFrame } from "../../support/ws-frames.ts";

const MASK = hex("01 02 03 04");
const servers: Server[] = [];
const sockets: Socket[] = [];

/** A carrier, and what it has told. */
interface Recorded {
  readonly carrier: Carrier;
  readonly socket: Socket;
  readonly messages: Uint8Array[];
  readonly closed: Promise<[code: number, reason: string]>;
  /** Resolves once there are so many messages. */
  until(count: number): Promise<void>;
}

function record(socket: Socket, role: WsRole): Recorded {
  const messages: Uint8Array[] = [];
  const closed = Promise.withResolvers<[number, string]>();
  let wake = (): void => {};
  const reading = adoptSocket(socket, new ReadMemory());
  sockets.push(reading.socket);
  const carrier = new WsCarrier(reading, role, {
    message: (bytes) => {
      messages.push(bytes.slice());
      wake();
    },
    closed: (code, reason) => closed.resolve([code, reason]),
  });
  const until = async (count: number): Promise<void> => {
    while (messages.length < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { carrier, socket: reading.socket, messages, closed: closed.promise, until };
}

/** Two ends of one TCP connection: a socket as it is, and one to make a carrier of. */
async function socketPair(): Promise<{ raw: Socket; other: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const accepted = once(server, "connection");
  const raw = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  sockets.push(raw.on("error", () => {}));
  const [other] = (await accepted) as [Socket];
  return { raw, other };
}

/** A carrier at a peer that is plain bytes: what that hears is collected. */
async function rawPeer(role: WsRole = "server") {
  const { raw, other } = await socketPair();
  const heard: Buffer[] = [];
  raw.on("data", (chunk: Buffer) => heard.push(chunk));
  const heardAll = once(raw, "close").then(() => toHex(joined(heard)));
  return { ...record(other, role), raw, heard, heardAll };
}

/** A carrier whose peer is `ws`, after a handshake of `ws` with ours. */
async function wsPeer(role: "server" | "client"): Promise<Recorded & { peer: WebSocket }> {
  return role === "server" ? wsClient() : wsServer();
}

async function wsClient() {
  const server = createHttpServer();
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const asked = once(server, "upgrade");
  const peer = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const [request, socket] = (await asked) as [IncomingMessage, Socket];
  socket.write(answerUpgrade(request.headers) ?? "");
  const recorded = record(socket, "server");
  await once(peer, "open");
  return { ...recorded, peer };
}

async function wsServer() {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const asking = request({ port, host: "127.0.0.1", headers: newUpgrade().headers });
  const connected = once(server, "connection");
  asking.end();
  const [, socket] = (await once(asking, "upgrade")) as [object, Socket];
  const [peer] = (await connected) as [WebSocket];
  server.close();
  return { ...record(socket, "client"), peer };
}

const sending = (carrier: Carrier, message: Uint8Array<ArrayBuffer>): Promise<void> =>
  new Promise((resolve) => carrier.send(message, resolve));

afterEach(() => {
  vi.useRealTimers();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

describe.each(["server", "client"] as const)("WsCarrier as a %s, with ws as its peer", (role) => {
  it("carries messages of every length both ways", async () => {
    const { carrier, messages, until, peer } = await wsPeer(role);
    const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 131_072, MAX_MESSAGE];
    const sent = lengths.map((length, i) => new Uint8Array(length).fill(i + 1));
    const received: Buffer[] = [];
    const all = new Promise<void>((resolve) => {
      peer.on("message", (data: Buffer) => {
        if (received.push(data) === sent.length) resolve();
      });
    });
    for (const message of sent) {
      peer.send(message);
      // Masked where it lies: a copy of ours.
      carrier.send(message.slice(), () => {});
    }
    await Promise.all([all, until(sent.length)]);
    expect(received.map((data) => data.equals(sent[received.indexOf(data)] ?? data))).not.toContain(
      false,
    );
    for (const [i, message] of messages.entries()) {
      expect(message.length).toBe(lengths[i]);
      expect(message.every((byte) => byte === i + 1)).toBe(true);
    }
  });

  it("puts the header in front of a message that has room for it, and in no other memory", async () => {
    const { carrier, peer } = await wsPeer(role);
    const memory = new Uint8Array(40).fill(7);
    const arrived = once(peer, "message");
    await sending(carrier, memory.subarray(20, 30));
    expect(new Uint8Array((await arrived)[0] as Buffer)).toEqual(new Uint8Array(10).fill(7));
    expect([...memory.subarray(0, 6), ...memory.subarray(30)]).toEqual(
      Array.from({ length: 16 }, () => 7),
    );
  });

  it("answers a ping, and takes messages in pieces with pings between them", async () => {
    const { messages, until, peer } = await wsPeer(role);
    const ponged = once(peer, "pong");
    peer.send("one ", { binary: true, fin: false });
    peer.ping("are you there?");
    peer.send("two", { binary: true, fin: true });
    expect(String((await ponged)[0])).toBe("are you there?");
    await until(1);
    expect(String(Buffer.from(messages[0] ?? []))).toBe("one two");
  });

  it("answers the last of many pings in any case", async () => {
    const { peer } = await wsPeer(role);
    const last = new Promise<void>((resolve) => {
      peer.on("pong", (data: Buffer) => {
        if (String(data) === "99") resolve();
      });
    });
    for (let i = 0; i < 100; i++) peer.ping(String(i));
    await last;
  });

  it("closes, and tells of the code that comes back", async () => {
    const { carrier, closed, peer } = await wsPeer(role);
    const atPeer = once(peer, "close");
    carrier.close(4001, "enough");
    carrier.close(4002, "again");
    expect(await closed).toEqual([4001, "enough"]);
    expect((await atPeer)[0]).toBe(4001);
    expect(String((await atPeer)[1])).toBe("enough");
  });

  it("is closed by its peer, with a code and a reason or without", async () => {
    const one = await wsPeer(role);
    one.peer.close(1001, "going");
    expect(await one.closed).toEqual([1001, "going"]);
    const other = await wsPeer(role);
    other.peer.close();
    expect(await other.closed).toEqual([1005, ""]);
  });

  it("sends all that was queued before its Close frame", async () => {
    const { carrier, peer } = await wsPeer(role);
    let bytes = 0;
    peer.on("message", (data: Buffer) => (bytes += data.length));
    const atPeer = once(peer, "close");
    for (let i = 0; i < 20; i++) carrier.send(new Uint8Array(100_000), () => {});
    carrier.close(1000, "");
    await atPeer;
    expect(bytes).toBe(2_000_000);
  });

  it("tells of a peer that vanished, as 1006", async () => {
    const { carrier, closed, peer } = await wsPeer(role);
    peer.terminate();
    expect((await closed)[0]).toBe(1006);
    let isDone = false;
    carrier.send(new Uint8Array(1), () => (isDone = true));
    expect(isDone).toBe(true);
    carrier.close(1000, "");
  });

  it("waits for no answer to a Close frame once its socket has closed", async () => {
    const { carrier, closed, raw } = await rawPeer();
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    raw.destroy();
    await closed;
    const before = timers();
    carrier.close(1000, "");
    expect(timers()).toBe(before);
  });

  it("gives memory back once it is sent, and at once when nothing can be sent any more", async () => {
    const { carrier, closed } = await wsPeer(role);
    await sending(carrier, new Uint8Array(1000));
    carrier.close(1000, "");
    await sending(carrier, new Uint8Array(1000));
    await closed;
  });
});

describe("WsCarrier at a peer that breaks RFC 6455", () => {
  it.each([
    ["a frame without a mask", "82 00", 1002],
    ["a reserved bit", "c2 80 00000000", 1002],
    ["a reserved opcode", "83 80 00000000", 1002],
    ["a ping in pieces", "09 80 00000000", 1002],
    ["text", "81 80 00000000", 1003],
    ["a message that is too long", "82 ff 0000000000100001", 1009],
    ["a close code that may not be sent", "88 82 00000000 03ed", 1002],
  ])("says so in a Close frame, and hears no more, after %s", async (_what, bytes, code) => {
    const { raw, heardAll, closed, messages } = await rawPeer();
    raw.end(joined([hex(bytes), rawFrame({ opcode: 2, payload: hex("01"), mask: MASK })]));
    expect(await heardAll).toBe(`8802${code.toString(16).padStart(4, "0")}`);
    expect((await closed)[0]).toBe(code);
    expect(messages).toEqual([]);
  });

  it("cuts one that neither closes nor stops", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { raw, other } = await socketPair();
    const { closed } = record(other, "server");
    let isOpen = true;
    raw.on("close", () => (isOpen = false));
    const pour = (): void => {
      if (isOpen) raw.write(hex("ff ff ff ff"), () => setImmediate(pour));
    };
    pour();
    await once(raw.resume(), "end");
    vi.advanceTimersByTime(2000);
    expect((await closed)[0]).toBe(1002);
  });

  it("cuts one that does not answer a Close frame", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { heardAll, carrier, closed } = await rawPeer();
    carrier.close(1000, "bye");
    vi.advanceTimersByTime(2000);
    expect(await closed).toEqual([1006, ""]);
    expect(await heardAll).toBe(`880503e8${toHex(Buffer.from("bye"))}`);
  });

  it("answers one ping at a time to one that does not read", async () => {
    const { raw, other } = await socketPair();
    const { closed, socket } = record(other, "server");
    raw.pause();
    const ping = rawFrame({ opcode: 9, payload: new Uint8Array(125), mask: MASK });
    const many = joined(Array.from({ length: 1000 }, () => ping));
    let most = 0;
    for (let i = 0; i < 200; i++) {
      await new Promise((resolve) => raw.write(many, resolve));
      await turn();
      most = Math.max(most, socket.writableLength);
    }
    // Of 26 MB of pings, far more than the kernel holds of pongs.
    expect(most).toBeLessThanOrEqual(127);
    raw.destroy();
    await closed;
  });
});

describe("WsCarrier", () => {
  it("ends its half when its peer ends without a Close frame", async () => {
    const { raw, heardAll, closed } = await rawPeer();
    raw.end();
    expect(await heardAll).toBe("");
    expect((await closed)[0]).toBe(1006);
  });

  it("tells of a socket that closed before it", async () => {
    const { raw, other } = await socketPair();
    raw.destroy();
    other.destroy();
    await once(other, "close");
    expect((await record(other, "server").closed)[0]).toBe(1006);
  });

  it("takes a Close frame that comes in the middle of a message", async () => {
    const { raw, closed, messages, heardAll } = await rawPeer();
    const piece = rawFrame({ opcode: 2, payload: hex("01"), isFinal: false, mask: MASK });
    raw.write(joined([piece, rawFrame({ opcode: 8, payload: hex("03e8"), mask: MASK })]));
    expect(await closed).toEqual([1000, ""]);
    expect(await heardAll).toBe("880203e8");
    expect(messages).toEqual([]);
  });

  it("masks with another key each time, and with zeros where it was told to [M-75]", async () => {
    const keysOf = async (role: WsRole): Promise<Set<string>> => {
      const { carrier, raw, heard } = await rawPeer(role);
      const keys = new Set<string>();
      for (let i = 1; i <= 600; i++) {
        await sending(carrier, hex("aa bb"));
        while (Buffer.concat(heard).length < i * 8) await once(raw, "data");
      }
      const all = Buffer.concat(heard);
      for (let at = 0; at < all.length; at += 8)
        keys.add(all.subarray(at + 2, at + 6).toString("hex"));
      return keys;
    };
    expect((await keysOf("client")).size).toBeGreaterThan(595);
    expect(await keysOf("client with a zero mask")).toEqual(new Set(["00000000"]));
  });
});
