import { afterEach, describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { Associations } from "../../support/associations.ts";
import { hex, toHex } from "../../support/hex.ts";
import { strictPolicy } from "../../support/policies.ts";

const associations = new Associations();
const openPeer = associations.openPeer.bind(associations);
const openEcho = associations.openEcho.bind(associations);
const associate = associations.associate.bind(associations);

afterEach(async () => {
  await associations.close();
});

describe("FilteredAssociation and strangers", () => {
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

describe("FilteredAssociation and the policy", () => {
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

  it("asks again about each port of a name that it knows", async () => {
    const [peer, other] = [await openPeer(), await openPeer()];
    const { association } = await associate(({ kind, port }) => {
      if (kind === "ipv4" && port === other.address.port) throw new StreamError("denied", "No");
    });
    for (let i = 0; i < 2; i++) {
      const incoming = peer.next();
      association.send(parseAddress("localhost", peer.address.port), hex("01"));
      association.send(parseAddress("localhost", other.address.port), hex("02"));
      await incoming;
    }
    const incoming = other.next();
    (await associate()).association.send(other.address, hex("03"));
    await incoming;
    expect(other.received.map(toHex)).toEqual(["03"]);
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
    const { association } = await associate(strictPolicy);
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
