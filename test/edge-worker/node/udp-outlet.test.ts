import { createSocket, Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { parseAddress } from "../../../protocol/address.ts";
import { Associations } from "../../support/associations.ts";
import { hex, toHex } from "../../support/hex.ts";
import { patternOf } from "../../support/stream-bytes.ts";

const associations = new Associations();
const openPeer = associations.openPeer.bind(associations);
const openEcho = associations.openEcho.bind(associations);
const associate = associations.associate.bind(associations);

afterEach(async () => {
  vi.restoreAllMocks();
  await associations.close();
});

describe("openUdpOutlet()", () => {
  it.each(["127.0.0.1", "::1"])("sends to %s, and takes the answer", async (host) => {
    const echo = await openEcho(host);
    const { association, delivered, until } = await associate();
    association.send(echo.address, hex("010203"));
    await until(1);
    expect(delivered).toEqual([{ from: echo.address, bytes: hex("010203") }]);
  });

  it("sends to a name, and tells the address that answered", async () => {
    const echo = await openEcho();
    const { association, delivered, until } = await associate();
    association.send(parseAddress("localhost", echo.address.port), hex("01"));
    await until(1);
    expect(delivered[0]?.from).toEqual(echo.address);
  });

  it("passes on as many datagrams to a known name as to an address", async () => {
    const peer = await openPeer();
    const { association } = await associate();
    const name = parseAddress("localhost", peer.address.port);
    const first = peer.next();
    association.send(name, hex(""));
    await first;
    const last = peer.next();
    for (let i = 0; i < 100; i++) association.send(name, Uint8Array.of(i));
    await last;
    association.send(peer.address, hex("ff"));
    while (toHex(peer.received.at(-1) ?? hex("")) !== "ff") await peer.next();
    expect(peer.received).toHaveLength(102);
  });

  it("drops what goes to a name that does not exist", async () => {
    const echo = await openEcho();
    const { association, delivered, until } = await associate();
    association.send(parseAddress("no-such-name.invalid", echo.address.port), hex("01"));
    association.send(echo.address, hex("02"));
    await until(1);
    expect(delivered.map(({ bytes }) => toHex(bytes))).toEqual(["02"]);
  });

  it("uses one socket for all who have the same kind of address", async () => {
    const [first, second] = [await openPeer(), await openPeer()];
    const { association } = await associate();
    const [atFirst, atSecond] = [first.next(), second.next()];
    association.send(first.address, hex("01"));
    association.send(second.address, hex("02"));
    expect((await atFirst).from.port).toBe((await atSecond).from.port);
  });

  it.each([
    ["127.0.0.1", 0],
    ["127.0.0.1", 65_507],
    ["::1", 0],
    ["::1", 65_507],
  ])("carries a datagram to %s of %i bytes", async (host, length) => {
    const echo = await openEcho(host);
    const { association, delivered, until } = await associate();
    association.send(echo.address, patternOf(1, length));
    await until(1);
    expect(delivered[0]?.bytes).toEqual(patternOf(1, length));
  });

  it("drops a datagram that is longer than UDP takes", async () => {
    const echo = await openEcho();
    const { association, delivered, until } = await associate();
    association.send(echo.address, new Uint8Array(65_508));
    association.send(echo.address, hex("01"));
    await until(1);
    expect(delivered).toHaveLength(1);
  });

  it("drops a datagram to port 0", async () => {
    const echo = await openEcho();
    const { association, delivered, until } = await associate();
    association.send(parseAddress("127.0.0.1", 0), hex("01"));
    association.send(parseAddress("localhost", 0), hex("02"));
    association.send(echo.address, hex("03"));
    await until(1);
    expect(delivered).toHaveLength(1);
  });

  it("sends the bytes as they were, though their memory is used again", async () => {
    const peer = await openPeer();
    const { association } = await associate();
    for (const host of ["127.0.0.1", "localhost"]) {
      const incoming = peer.next();
      const lent = hex("0102");
      association.send(parseAddress(host, peer.address.port), lent);
      lent.fill(0xee);
      expect((await incoming).bytes).toEqual(hex("0102"));
    }
  });

  it("delivers plain bytes, of which slice() is a copy", async () => {
    const echo = await openEcho();
    const { association, delivered, until } = await associate();
    association.send(echo.address, hex("01"));
    await until(1);
    expect(delivered[0]?.bytes.constructor).toBe(Uint8Array);
  });

  it("keeps a flood within its bound, and goes on after it", async () => {
    const [peer, other] = [await openPeer(), await openPeer()];
    const { association } = await associate();
    const sends = vi.spyOn(Socket.prototype, "send");
    const first = peer.next();
    // One turn of the event loop: nothing can leave meanwhile.
    for (let i = 0; i < 2000; i++) association.send(peer.address, patternOf(i, 1000));
    // 256 KiB in datagrams of 1000 bytes, and 64 for each.
    expect(sends).toHaveBeenCalledTimes(246);
    expect((await first).bytes).toEqual(patternOf(0, 1000));
    const next = other.next();
    association.send(other.address, patternOf(1, 1000));
    expect((await next).bytes).toEqual(patternOf(1, 1000));
  });
});

describe("Outlet.close()", () => {
  it("frees its port, and may be called again", async () => {
    const peer = await openPeer();
    const { association } = await associate();
    const incoming = peer.next();
    association.send(peer.address, hex("01"));
    const { port } = (await incoming).from;
    association.close();
    association.close();
    const probe = createSocket("udp4");
    probe.bind(port, "0.0.0.0");
    await once(probe, "listening");
    probe.close();
  });

  it("ends before it has begun, and sends nothing afterwards", async () => {
    const peer = await openPeer();
    const { association } = await associate();
    association.send(parseAddress("localhost", peer.address.port), hex("01"));
    association.close();
    association.send(peer.address, hex("02"));
    const other = await associate();
    const incoming = peer.next();
    other.association.send(parseAddress("localhost", peer.address.port), hex("03"));
    expect((await incoming).bytes).toEqual(hex("03"));
  });
});
