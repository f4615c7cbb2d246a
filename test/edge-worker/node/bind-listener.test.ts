import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { Listening } from "../../../edge-worker/egress/egress.ts";
import { createResolver } from "../../../edge-worker/egress/dns/resolver.ts";
import type { BindPlace } from "../../../edge-worker/egress/outbound.ts";
import { createListen } from "../../../edge-worker/node/bind-listener.ts";
import { systemSource } from "../../../edge-worker/node/system-source.ts";
import { ownAddress } from "../../../edge-worker/node/own-address.ts";
import type { Policy } from "../../../edge-worker/policy/policy.ts";
import { type Address, formatAddress, parseAddress, parseHost } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { ReadMemory } from "../../../protocol/node/read-memory.ts";
import { hex } from "../../support/hex.ts";
import { fateOf } from "../../support/stream-bytes.ts";
import { closedPort } from "../../support/target.ts";

const anything: Policy = () => undefined;
const anywhere: BindPlace = { host: undefined, ports: undefined };
const memory = new ReadMemory();
const listenForPeer = createListen(createResolver(systemSource), anywhere, memory);
const cancelled = new StreamError("cancelled", "The agent took the stream back");
const endings: AbortController[] = [];
const sockets: Socket[] = [];

/** Listens for a peer until the test is over. */
async function listenFor(
  host: string,
  policy = anything,
  latest?: Address,
  place: BindPlace = anywhere,
) {
  const ending = new AbortController();
  endings.push(ending);
  const listen = createListen(createResolver(systemSource), place, memory);
  const listening = await listen(parseAddress(host, 0), policy, ending.signal, latest);
  return { ...listening, ending };
}

/** Connects from an address of loopback; "" leaves the choice to the kernel. */
function dial({ bound }: Listening, localAddress = "", host = "127.0.0.1"): Socket {
  const from = localAddress === "" ? {} : { localAddress };
  const socket = connect({ host, port: bound.port, ...from });
  socket.on("error", () => {});
  sockets.push(socket);
  return socket;
}

/** The code of the error that a dial ends with, "" when it connects. */
async function refusalOf(listening: Listening, host?: string): Promise<string> {
  const socket = dial(listening, "", host);
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(""));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  });
}

async function closedOf(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
}

afterEach(() => {
  for (const ending of endings.splice(0)) ending.abort(cancelled);
  for (const socket of sockets.splice(0)) socket.destroy();
});

describe("createListen()", () => {
  it.each([
    ["127.0.0.1", "127.0.0.1", "127.0.0.1"],
    ["::1", "::1", "::1"],
    ["localhost", "127.0.0.1", "127.0.0.1"],
    ["::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1"],
    ["::ffff:7f00:1", "127.0.0.1", "127.0.0.1"],
  ])("admits %s, which it told to come to %s", async (host, boundTo, from) => {
    const listening = await listenFor(host);
    expect(listening.bound.host).toBe(boundTo);
    const socket = dial(listening, "", from);
    const { channel, peer } = await listening.accepted;
    expect(peer).toEqual(parseAddress(from, socket.localPort ?? 0));
    socket.end(hex("0102"));
    expect(await channel.read()).toEqual(hex("0102"));
    expect(await channel.read()).toBeNull();
    await channel.write(hex("03"));
    const [bytes] = (await once(socket, "data")) as [Buffer];
    expect(Uint8Array.from(bytes)).toEqual(hex("03"));
    channel.abort(undefined);
  });

  it("shuts out everybody else, and goes on listening", async () => {
    const listening = await listenFor("127.0.0.1");
    const fate = fateOf(listening.accepted);
    for (let i = 0; i < 3; i++) {
      const stranger = dial(listening, "127.0.0.2");
      await closedOf(stranger);
      expect(stranger.bytesRead).toBe(0);
    }
    expect(fate.now).toBe("pending");
    const expected = dial(listening, "127.0.0.1");
    const { channel, peer } = await listening.accepted;
    expect(peer).toEqual(parseAddress("127.0.0.1", expected.localPort ?? 0));
    channel.abort(undefined);
  });

  it("expects the peer itself, whatever its port", async () => {
    const ending = new AbortController();
    endings.push(ending);
    const peer = parseAddress("127.0.0.2", 20);
    const listening = await listenForPeer(peer, anything, ending.signal);
    dial(listening, "127.0.0.2");
    const { channel } = await listening.accepted;
    channel.abort(undefined);
  });

  it("admits anybody for 0.0.0.0, the first one only", async () => {
    const listening = await listenFor("0.0.0.0");
    dial(listening, "127.0.0.2");
    const { channel, peer } = await listening.accepted;
    expect(peer.host).toBe("127.0.0.2");
    expect(await refusalOf(listening)).toBe("ECONNREFUSED");
    channel.abort(undefined);
  });

  it.each([
    ["0.0.0.0", "127.0.0.7", "127.0.0.1"],
    ["::", "::1", "::1"],
  ])("tells who expects %s where the connection before went out from", async (any, ours, from) => {
    const listening = await listenFor(any, anything, parseAddress(ours, 4000));
    expect(listening.bound).toEqual(parseAddress(ours, listening.bound.port));
    const socket = dial(listening, "", from);
    const { channel, peer } = await listening.accepted;
    expect(peer).toEqual(parseAddress(from, socket.localPort ?? 0));
    channel.abort(undefined);
  });

  it.each([
    ["0.0.0.0", "::1"],
    ["0.0.0.0", "0.0.0.0"],
    ["::", "127.0.0.1"],
    ["::", undefined],
  ])("tells who expects %s an address of its own family, not %s", async (any, ours) => {
    const latest = ours === undefined ? undefined : parseAddress(ours, 4000);
    const { bound } = await listenFor(any, anything, latest);
    const family = any === "::" ? "ipv6" : "ipv4";
    expect(bound).toEqual(parseAddress(ownAddress(family) ?? any, bound.port));
    expect(bound.host).not.toBe("0.0.0.0");
  });

  it("shuts out of anybody those that the policy refuses, and goes on listening", async () => {
    const policy: Policy = ({ host }) => {
      if (host !== "127.0.0.3") throw new StreamError("denied", "Cannot connect: not that one");
    };
    const listening = await listenFor("0.0.0.0", policy);
    for (const stranger of ["127.0.0.1", "127.0.0.2"]) {
      await closedOf(dial(listening, stranger));
    }
    dial(listening, "127.0.0.3");
    const { channel, peer } = await listening.accepted;
    expect(peer.host).toBe("127.0.0.3");
    channel.abort(undefined);
  });

  it("admits one of several who come at once", async () => {
    const listening = await listenFor("0.0.0.0");
    const dials = [dial(listening), dial(listening), dial(listening)];
    const { channel, peer } = await listening.accepted;
    const others = dials.filter(({ localPort }) => localPort !== peer.port);
    expect(others).toHaveLength(2);
    for (const socket of others) await closedOf(socket);
    channel.abort(undefined);
  });

  it("keeps the peer's connection when the signal aborts later", async () => {
    const listening = await listenFor("127.0.0.1");
    const socket = dial(listening);
    const { channel } = await listening.accepted;
    listening.ending.abort(cancelled);
    socket.write(hex("01"));
    expect(await channel.read()).toEqual(hex("01"));
    channel.abort(undefined);
  });

  it.each(["127.0.0.1", "::1", "0.0.0.0"])("closes the port of %s on abort", async (host) => {
    const listening = await listenFor(host);
    listening.ending.abort(cancelled);
    await expect(listening.accepted).rejects.toBe(cancelled);
    const at = host === "::1" ? "::1" : "127.0.0.1";
    expect(await refusalOf(listening, at)).toBe("ECONNREFUSED");
  });

  it("closes the port, too, when the signal aborts before it listens", async () => {
    const ending = new AbortController();
    const starting = listenForPeer(parseAddress("localhost", 0), anything, ending.signal);
    ending.abort(cancelled);
    const listening = await starting;
    await expect(listening.accepted).rejects.toBe(cancelled);
    expect(await refusalOf(listening)).toBe("ECONNREFUSED");
  });

  it("asks the policy about the address of a name", async () => {
    const asked: string[] = [];
    const listening = listenFor("localhost", (address) => {
      asked.push(formatAddress(address));
      throw new StreamError("denied", "Cannot connect: not that one");
    });
    await expect(listening).rejects.toMatchObject({ reason: "denied" });
    expect(asked).toContain("127.0.0.1:0");
  });

  it("tells of a name that does not exist", async () => {
    const listening = listenFor("no-such-name.invalid");
    await expect(listening).rejects.toMatchObject({ reason: "name-not-found" });
  });

  it("tells of a peer that there is no way to, and leaves no listener behind", async () => {
    const servers = (): number =>
      process.getActiveResourcesInfo().filter((kind) => kind === "TCPServerWrap").length;
    const before = servers();
    // Nobody may connect() to the broadcast address: this fails before any packet.
    const listening = listenFor("255.255.255.255");
    await expect(listening).rejects.toMatchObject({ name: "StreamError" });
    expect(servers()).toBe(before);
  });

  it("tells the address that its operator has set", async () => {
    const place: BindPlace = { ...anywhere, host: parseHost("192.0.2.7") };
    const { bound } = await listenFor("127.0.0.1", anything, undefined, place);
    expect(bound.host).toBe("192.0.2.7");
  });

  it("listens within its ports, and says when all are in use", async () => {
    // Two neighbours that are free: one that the kernel gave, and with luck the next.
    const { first, last } = await freeRange();
    const place: BindPlace = { ...anywhere, ports: [first, last] };
    const open = [
      await listenFor("127.0.0.1", anything, undefined, place),
      await listenFor("127.0.0.1", anything, undefined, place),
    ];
    const ports = open.map(({ bound }) => bound.port);
    expect(ports.toSorted((a, b) => a - b)).toEqual([first, last]);
    const third = listenFor("127.0.0.1", anything, undefined, place);
    await expect(third).rejects.toMatchObject({ reason: "quota-exceeded" });
  });
});

/** Two ports in a row that nobody listens on. */
async function freeRange(): Promise<{ first: number; last: number }> {
  for (;;) {
    const first = await closedPort();
    const next = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      next.once("error", () => resolve(false));
      next.listen(first + 1, "0.0.0.0", () => next.close(() => resolve(true)));
    });
    if (isFree) return { first, last: first + 1 };
  }
}
