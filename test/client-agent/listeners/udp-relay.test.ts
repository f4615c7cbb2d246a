import { describe, expect, it } from "vitest";
import { encodeUdpReply } from "../../../client-agent/listeners/udp-header.ts";
import { UdpRelay } from "../../../client-agent/listeners/udp-relay.ts";
import { type Address, parseAddress, UNSPECIFIED } from "../../../protocol/address.ts";
import { Command } from "../../../protocol/wire.ts";
import { FakeChannel } from "../../support/fake-channel.ts";
import { hex, toHex } from "../../support/hex.ts";
import { udpSettings } from "../../support/udp-settings.ts";
import { sessionPair } from "../../support/session-pair.ts";

const resolver = parseAddress("192.0.2.53", 53);
const clientAddress = parseAddress("127.0.0.1", 5000);

/** An association whose client and edge are the test. */
async function associated(announced: Address = UNSPECIFIED, isKernelFull = false) {
  const pair = await sessionPair();
  const { stream } = pair.agent.open(Command.UdpAssociate, announced, new Uint8Array());
  await pair.clock.run();
  const [incoming] = pair.incoming;
  if (!incoming) throw new Error("The edge was not asked");
  const atEdge: string[] = [];
  incoming.stream.onDatagram(({ host, port }, bytes) =>
    atEdge.push(`${host}:${port} ${toHex(bytes)}`),
  );
  const atClient: [Address, string][] = [];
  let take: (from: Address, bytes: Uint8Array) => void = () => {};
  let isOpen = true;
  const client = new FakeChannel();
  const { clock } = pair;
  const drops: string[] = [];
  const relay = new UdpRelay({
    clock,
    stream,
    client,
    clientHost: "127.0.0.1",
    announced,
    fragmentLimits: udpSettings.fragmentLimits,
    dropped: (direction) => drops.push(direction),
  });
  const bound = await relay.open(async (host, handler) => {
    take = handler;
    return {
      bound: parseAddress(host, 1234),
      send: (to, bytes) => !isKernelFull && atClient.push([to, toHex(bytes)]) > 0,
      close: () => (isOpen = false),
    };
  }, "127.0.0.1");
  const running = relay.run();
  running.catch(() => {});
  return {
    ...pair,
    edgeStream: incoming.stream,
    client,
    bound,
    running,
    atEdge,
    atClient,
    drops,
    /** The client sends `bytes` to `to`, and the event loop does not turn meanwhile. */
    sendNow: (to: Address, bytes: Uint8Array) => take(clientAddress, encodeUdpReply(to, bytes)),
    /** The client sends `bytes` to `to`, from `from`. */
    send: async (to: Address, bytes: Uint8Array, from = clientAddress) => {
      take(from, encodeUdpReply(to, bytes));
      await clock.run();
    },
    raw: async (datagram: Uint8Array) => {
      take(clientAddress, datagram);
      await clock.run();
    },
    isOpen: () => isOpen,
  };
}

describe("UdpRelay", () => {
  it("listens on the address it is told, and relays both ways", async () => {
    const { bound, send, atEdge, atClient, edgeStream, clock } = await associated();
    expect(bound).toEqual(parseAddress("127.0.0.1", 1234));
    await send(resolver, hex("0102"));
    edgeStream.sendDatagram(resolver, hex("03"));
    await clock.run();
    expect(atEdge).toEqual(["192.0.2.53:53 0102"]);
    expect(atClient).toEqual([[clientAddress, toHex(encodeUdpReply(resolver, hex("03")))]]);
  });

  it("takes datagrams from the client's IP address only", async () => {
    const { send, atEdge } = await associated();
    await send(resolver, hex("01"), parseAddress("127.0.0.2", 5000));
    expect(atEdge).toEqual([]);
  });

  it("keeps to the port of the first datagram when none was announced", async () => {
    const { send, atEdge } = await associated();
    await send(resolver, hex("01"));
    await send(resolver, hex("02"), parseAddress("127.0.0.1", 5001));
    expect(atEdge).toEqual(["192.0.2.53:53 01"]);
  });

  it("keeps to the announced port", async () => {
    const { send, atEdge } = await associated({ ...UNSPECIFIED, port: 5001 });
    await send(resolver, hex("01"));
    await send(resolver, hex("02"), parseAddress("127.0.0.1", 5001));
    expect(atEdge).toEqual(["192.0.2.53:53 02"]);
  });

  it("joins fragments, and drops what it cannot read", async () => {
    const { raw, atEdge } = await associated();
    await raw(hex("0000 01 01 c0000235 0035 aa"));
    await raw(hex("0000 00 09"));
    await raw(hex("0000 82 01 c0000235 0035 bb"));
    expect(atEdge).toEqual(["192.0.2.53:53 aabb"]);
  });

  it("drops a flood that the carrier does not take, and counts each", async () => {
    const { atEdge, sendNow, drops, clock } = await associated();
    for (let i = 0; i < 50_000; i++) sendNow(resolver, new Uint8Array(1000));
    const kept = 50_000 - drops.length;
    expect(kept * 1000).toBeLessThan(262_144);
    expect(kept).toBeGreaterThan(200);
    expect(new Set(drops)).toEqual(new Set(["up"]));
    // The carrier's window is as small as one datagram here: the rest waits for ACKs.
    await clock.run();
    expect(atEdge).toHaveLength(kept);
  });

  it("drops what the client's socket does not take, and counts each", async () => {
    const { send, edgeStream, clock, drops, atClient } = await associated(UNSPECIFIED, true);
    await send(resolver, hex("01"));
    for (let i = 0; i < 5; i++) edgeStream.sendDatagram(resolver, hex("02"));
    await clock.run();
    expect(atClient).toEqual([]);
    expect(drops).toEqual(Array.from({ length: 5 }, () => "down"));
  });

  it("says nothing to a client that has not sent yet", async () => {
    const { edgeStream, clock, atClient } = await associated();
    edgeStream.sendDatagram(resolver, hex("01"));
    await clock.run();
    expect(atClient).toEqual([]);
  });

  it("ends with the client's TCP connection, and ends the stream", async () => {
    const { client, running, isOpen, edgeStream, clock } = await associated();
    client.farEnd();
    await clock.run();
    await running;
    expect(isOpen()).toBe(false);
    expect(await edgeStream.read()).toBeNull();
  });

  it("ends with the stream", async () => {
    const { edgeStream, running, isOpen, clock } = await associated();
    edgeStream.abort(new Error("The edge has stopped"));
    await clock.run();
    await expect(running).rejects.toMatchObject({ reason: "connection-reset" });
    expect(isOpen()).toBe(false);
  });
});
