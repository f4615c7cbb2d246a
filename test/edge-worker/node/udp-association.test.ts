import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import type { Association } from "../../../edge-worker/egress/egress.ts";
import { openAssociation } from "../../../edge-worker/node/udp-association.ts";
import { createPolicy, type Policy } from "../../../edge-worker/policy/policy.ts";
import { type Address, formatAddress, parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { hex, toHex } from "../../support/hex.ts";
import { patternOf } from "../../support/stream-bytes.ts";
import { openUdpPeer, type UdpPeer } from "../../support/udp-peer.ts";

const anything: Policy = () => {};
const peers: UdpPeer[] = [];
const associations: Association[] = [];

async function openPeer(host = "127.0.0.1", isEcho = false): Promise<UdpPeer> {
  const peer = await openUdpPeer(host, isEcho);
  peers.push(peer);
  return peer;
}

const openEcho = (host?: string): Promise<UdpPeer> => openPeer(host, true);

/** An association, what it delivered, and a way to wait for more. */
async function associate(policy = anything) {
  const delivered: { from: Address; bytes: Uint8Array }[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const association = await openAssociation(policy, (from, bytes) => {
    delivered.push({ from, bytes });
    for (const { count, resolve } of waiting) if (delivered.length >= count) resolve();
  });
  associations.push(association);
  const until = (count: number): Promise<void> =>
    new Promise((resolve) => {
      if (delivered.length >= count) resolve();
      else waiting.push({ count, resolve });
    });
  return { association, delivered, until };
}

afterEach(async () => {
  for (const association of associations.splice(0)) association.close();
  for (const peer of peers.splice(0)) await peer.close();
});

describe("openAssociation()", () => {
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

  it("keeps a flood within its bound: what comes beyond is dropped", async () => {
    const peer = await openPeer();
    const { association } = await associate();
    const first = peer.next();
    // One turn of the event loop: nothing can leave meanwhile.
    for (let i = 0; i < 2000; i++) association.send(peer.address, patternOf(i, 1000));
    expect((await first).bytes).toEqual(patternOf(0, 1000));
    const last = peer.next();
    association.send(peer.address, hex("ff"));
    await last;
    while (toHex(peer.received.at(-1) ?? hex("")) !== "ff") await peer.next();
    // 256 KiB in datagrams of 1000 bytes, and 64 for each.
    expect(peer.received.length).toBeLessThanOrEqual(246 + 1);
  });
});

describe("openAssociation() and strangers", () => {
  it("delivers from nobody but the address and port that were sent to", async () => {
    const [echo, stranger] = [await openEcho(), await openPeer()];
    const { association, delivered, until } = await associate();
    const incoming = echo.next();
    association.send(echo.address, hex("01"));
    const { port } = (await incoming).from;
    await until(1);
    await stranger.send(hex("bad0"), port);
    association.send(echo.address, hex("02"));
    await until(2);
    expect(delivered.map(({ bytes }) => toHex(bytes))).toEqual(["01", "02"]);
  });

  it("delivers from a stranger once it was sent to", async () => {
    const [peer, stranger] = [await openPeer(), await openPeer()];
    const { association, delivered, until } = await associate();
    const incoming = stranger.next();
    association.send(peer.address, hex("01"));
    association.send(stranger.address, hex("02"));
    await stranger.send(hex("03"), (await incoming).from.port);
    await until(1);
    expect(delivered).toEqual([{ from: stranger.address, bytes: hex("03") }]);
  });
});

describe("openAssociation() and the policy", () => {
  it("sends nothing to an address that is denied", async () => {
    const [echo, other] = [await openEcho(), await openEcho()];
    const { association, delivered, until } = await associate((address) => {
      if (address.port === other.address.port) throw new StreamError("denied", "Not that one");
    });
    association.send(other.address, hex("01"));
    association.send(parseAddress("localhost", other.address.port), hex("02"));
    association.send(echo.address, hex("03"));
    await until(1);
    expect(delivered).toEqual([{ from: echo.address, bytes: hex("03") }]);
    expect(other.received).toEqual([]);
  });

  it("asks about the name, and about the address that it means", async () => {
    const peer = await openPeer();
    const { port } = peer.address;
    const asked: string[] = [];
    const { association } = await associate((address) => void asked.push(formatAddress(address)));
    const incoming = peer.next();
    association.send(parseAddress("localhost", port), hex("01"));
    expect(asked).toEqual([`localhost:${port}`]);
    await incoming;
    expect(asked).toContain(`127.0.0.1:${port}`);
  });

  it("sends nothing to a name that the policy denies by name", async () => {
    const peer = await openPeer();
    const { association } = await associate((address) => {
      if (address.kind === "name") throw new StreamError("denied", "Not by name");
    });
    const incoming = peer.next();
    association.send(parseAddress("localhost", peer.address.port), hex("01"));
    association.send(peer.address, hex("02"));
    expect((await incoming).bytes).toEqual(hex("02"));
  });

  it("sends nothing to loopback when private targets are not allowed", async () => {
    const peer = await openPeer();
    const { association } = await associate(createPolicy({ allowPrivate: false }));
    for (const host of ["127.0.0.1", "localhost", "::ffff:127.0.0.1"]) {
      association.send(parseAddress(host, peer.address.port), hex("01"));
    }
    const allowed = await associate();
    const incoming = peer.next();
    allowed.association.send(peer.address, hex("02"));
    await incoming;
    expect(peer.received.map(toHex)).toEqual(["02"]);
  });
});

describe("Association.close()", () => {
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
