import { describe, expect, it } from "vitest";
import { encodeUdpReply } from "../../../client-agent/listeners/udp-header.ts";
import type { OpenUdp } from "../../../client-agent/listeners/udp-relay.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { clientAtDoor } from "../../support/client-at-door.ts";
import { FakeChannel } from "../../support/fake-channel.ts";
import { hex, toHex } from "../../support/hex.ts";

const greeting = "05 01 00";
const peer = parseAddress("192.0.2.9", 2000);
const bound = parseAddress("192.0.2.1", 1000);
const toldBound = "05000001 c0000201 03e8".replaceAll(" ", "");
const toldPeer = "05000001 c0000209 07d0".replaceAll(" ", "");

/** A client that asks for `command` with DST 192.0.2.9:2000, and sends `rest` behind it. */
async function asking(command: string, rest = "", openUdp?: OpenUdp) {
  const client = new FakeChannel(hex(`${greeting} 05 ${command} 00 01 c0000209 07d0 ${rest}`));
  const door = await clientAtDoor(openUdp ? { openUdp } : {}, client);
  const incoming = await door.stream();
  // METHOD has been told before; what follows is about the request.
  const told = (): string => toHex(client.written).slice(4);
  return { ...door, incoming, stream: incoming.stream, told };
}

describe("useStream(), BIND", () => {
  it("tells where the edge listens, then who came, and relays", async () => {
    const { stream, clock, told, client } = await asking("02");
    stream.confirm(bound);
    await clock.run();
    expect(told()).toBe(toldBound);
    stream.confirm(peer);
    await clock.run();
    expect(told()).toBe(toldBound + toldPeer);
    void stream.write(hex("6869"));
    await clock.run();
    expect(told()).toBe(`${toldBound}${toldPeer}6869`);
    client.arrive(hex("ab"));
    await clock.run();
    expect(await stream.read()).toEqual(hex("ab"));
  });

  it("takes the stream back when the client leaves while it waits", async () => {
    const { stream, clock, client, isServed, agent } = await asking("02");
    stream.confirm(bound);
    await clock.run();
    client.farEnd();
    await clock.run();
    await expect(stream.read()).rejects.toMatchObject({ reason: "cancelled" });
    expect([agent.streamCount, isServed()]).toEqual([0, true]);
  });

  it("keeps what the client sends before the peer has come", async () => {
    const { stream, clock, client } = await asking("02", "61");
    stream.confirm(bound);
    await clock.run();
    client.arrive(hex("62"));
    await clock.run();
    stream.confirm(peer);
    await clock.run();
    expect(await stream.read()).toEqual(hex("61"));
    expect(await stream.read()).toEqual(hex("62"));
  });

  it("tells when nobody came, and ends the connection", async () => {
    const { stream, clock, told, client, isServed } = await asking("02");
    stream.confirm(bound);
    stream.refuse("timed-out", "Nobody connected");
    client.farEnd();
    await clock.run();
    expect(told()).toBe(`${toldBound}05060001000000000000`);
    expect([client.hasEnded, isServed()]).toEqual([true, true]);
  });
});

describe("useStream(), RESOLVE and RESOLVE_PTR", () => {
  it.each(["f0", "f1"])(
    "answers command %s with what the edge found, and closes",
    async (command) => {
      const { stream, clock, told, client, isServed, incoming } = await asking(command);
      expect(incoming.command).toBe(Number.parseInt(command, 16));
      stream.confirm(parseAddress("a.example", 0));
      await clock.run();
      expect(told()).toBe(
        `05000003 09 ${toHex(new TextEncoder().encode("a.example"))} 0000`.replaceAll(" ", ""),
      );
      expect(client.hasEnded).toBe(true);
      client.farEnd();
      await clock.run();
      expect(isServed()).toBe(true);
    },
  );
});

describe("useStream(), UDP ASSOCIATE", () => {
  it("tells the port it has opened on the address the client reached", async () => {
    const opened: string[] = [];
    let isOpen = true;
    const openUdp: OpenUdp = async (host) => {
      opened.push(host);
      return { bound: parseAddress(host, 4660), send: () => true, close: () => (isOpen = false) };
    };
    const { stream, clock, told, client, isServed } = await asking("03", "", openUdp);
    stream.confirm(parseAddress("0.0.0.0", 0));
    await clock.run();
    expect(opened).toEqual(["127.0.0.1"]);
    expect(told()).toBe("050000017f0000011234");
    client.farEnd();
    await clock.run();
    expect([isOpen, isServed()]).toEqual([false, true]);
  });

  it("drops a flood in both directions, and counts it, though its carrier stands still", async () => {
    let take: Parameters<OpenUdp>[1] = () => {};
    let sent = 0;
    const openUdp: OpenUdp = async (host, handler) => {
      take = handler;
      // A client that does not read, and a kernel that takes ten more.
      return { bound: parseAddress(host, 4660), send: () => ++sent <= 10, close: () => {} };
    };
    const { stream, clock, metric } = await asking("03", "", openUdp);
    stream.confirm(parseAddress("0.0.0.0", 0));
    await clock.run();
    const datagram = encodeUdpReply(bound, new Uint8Array(1000));
    for (let i = 0; i < 20_000; i++) take(parseAddress("127.0.0.1", 2000), datagram);
    const dropped = (direction: string) =>
      metric(`edgesocks_datagrams_dropped_total{direction="${direction}"}`);
    // 256 KiB are what one association may have: half of all.
    expect(20_000 - ((await dropped("up")) ?? 0)).toBe(Math.floor(262_144 / 1064));
    for (let i = 0; i < 100; i++) {
      stream.sendDatagram(bound, new Uint8Array(1000));
      await clock.run();
    }
    expect(await dropped("down")).toBe(sent - 10);
    expect(sent).toBe(100);
  });

  it("answers REP 7 when the edge relays no UDP", async () => {
    const { stream, clock, told } = await asking("03");
    stream.refuse("command-unsupported", "This edge does not serve UDP");
    await clock.run();
    expect(told()).toBe("05070001000000000000");
  });
});

describe("useStream(), CONNECT", () => {
  it("does not wait for the target to take what the client sent ahead", async () => {
    // More than the window of 1000, so that most of it stays behind.
    const { stream, clock, told } = await asking("01", "61".repeat(5000));
    stream.confirm(bound);
    await clock.run();
    expect(told()).toBe(toldBound);
    void stream.write(hex("6869"));
    await clock.run();
    expect(told()).toBe(`${toldBound}6869`);
  });
});
