import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import type { UdpSocket } from "../../../client-agent/listeners/udp-relay.ts";
import { createOpenUdp } from "../../../client-agent/node/udp-socket.ts";
import { formatAddress } from "../../../protocol/address.ts";
import { hex, toHex } from "../../support/hex.ts";

const openUdp = createOpenUdp(1_048_576);
const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

async function startPeer(host: string): Promise<Socket> {
  const peer = createSocket(host.includes(":") ? "udp6" : "udp4");
  peer.bind(0, host);
  await once(peer, "listening");
  open.push(peer);
  return peer;
}

describe("openUdp()", () => {
  it.each(["127.0.0.1", "::1"])("sends and takes datagrams on %s", async (host) => {
    const peer = await startPeer(host);
    const taken = Promise.withResolvers<string>();
    const socket: UdpSocket = await openUdp(host, (from, bytes) =>
      taken.resolve(`${formatAddress(from)} ${toHex(bytes)}`),
    );
    open.push(socket);
    peer.send(hex("0102"), socket.bound.port, host);
    const { port } = peer.address();
    const shown = host.includes(":") ? `[${host}]` : host;
    expect(await taken.promise).toBe(`${shown}:${port} 0102`);
    const received = once(peer, "message");
    socket.send({ ...socket.bound, port }, hex("03"));
    const [bytes] = (await received) as [Buffer];
    expect(toHex(bytes)).toBe("03");
  });

  it("drops what its queue has no room for, and goes on when the kernel has taken that", async () => {
    const peer = await startPeer("127.0.0.1");
    const socket = await createOpenUdp(10_000)("127.0.0.1", () => {});
    open.push(socket);
    const to = { ...socket.bound, port: peer.address().port };
    const sent = Array.from({ length: 1000 }, () => socket.send(to, new Uint8Array(936)));
    expect(sent.filter(Boolean)).toHaveLength(10);
    await once(peer, "message");
    // The kernel has them once their callbacks have run, which come in this turn or the next.
    await expect.poll(() => socket.send(to, new Uint8Array(9936))).toBe(true);
  });

  it("takes a port of its own for each", async () => {
    const sockets = await Promise.all([1, 2].map(() => openUdp("127.0.0.1", () => {})));
    open.push(...sockets);
    expect(new Set(sockets.map(({ bound }) => bound.port)).size).toBe(2);
  });

  it("rejects for an address that is not this machine's", async () => {
    await expect(openUdp("203.0.113.1", () => {})).rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
  });
});
