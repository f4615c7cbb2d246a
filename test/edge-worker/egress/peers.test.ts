import { describe, expect, it } from "vitest";
import { Peers } from "../../../edge-worker/egress/peers.ts";
import { type Address, formatAddress, parseAddress } from "../../../protocol/address.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const at = (port: number): Address => parseAddress("192.0.2.1", port);

function peersWith(idleTimeoutMs = 60_000) {
  const clock = new FakeClock();
  const forgotten: string[] = [];
  const peers = new Peers(clock, idleTimeoutMs, (peer) => void forgotten.push(formatAddress(peer)));
  return { clock, forgotten, peers };
}

describe("Peers", () => {
  it("admits whom was sent to, by address and port", () => {
    const { peers } = peersWith();
    peers.use(at(1));
    expect(peers.admits(at(1))).toBe(true);
    expect(peers.admits(at(2))).toBe(false);
    expect(peers.admits(parseAddress("192.0.2.2", 1))).toBe(false);
  });

  it("forgets a peer that has been silent for the idle timeout, each by itself", async () => {
    const { clock, forgotten, peers } = peersWith();
    peers.use(at(1));
    await clock.advance(30_000);
    peers.use(at(2));
    await clock.advance(29_999);
    expect(forgotten).toEqual([]);
    await clock.advance(1);
    expect(forgotten).toEqual(["192.0.2.1:1"]);
    expect(peers.admits(at(1))).toBe(false);
    await clock.advance(30_000);
    expect(forgotten).toEqual(["192.0.2.1:1", "192.0.2.1:2"]);
    expect(clock.timerCount).toBe(0);
  });

  it("keeps a peer by datagrams in either direction", async () => {
    const { clock, forgotten, peers } = peersWith();
    peers.use(at(1));
    await clock.advance(59_000);
    peers.use(at(1));
    await clock.advance(59_000);
    expect(peers.admits(at(1))).toBe(true);
    await clock.advance(59_999);
    expect(forgotten).toEqual([]);
    await clock.advance(1);
    expect(forgotten).toEqual(["192.0.2.1:1"]);
  });

  it("keeps 1024, those that were used last", () => {
    const { forgotten, peers } = peersWith();
    for (let port = 1; port <= 1024; port++) peers.use(at(port));
    peers.use(at(1));
    peers.use(at(1025));
    expect(forgotten).toEqual(["192.0.2.1:2"]);
    expect(peers.admits(at(1))).toBe(true);
  });

  it("tells whether there is any of a kind", () => {
    const { peers } = peersWith();
    peers.use(at(7));
    expect(peers.some(({ port }) => port === 7)).toBe(true);
    expect(peers.some(({ kind }) => kind === "ipv6")).toBe(false);
  });

  it("leaves no timer behind, and tells of nobody, when it is closed", async () => {
    const { clock, forgotten, peers } = peersWith();
    peers.use(at(1));
    peers.close();
    expect(clock.timerCount).toBe(0);
    await clock.advance(120_000);
    expect(forgotten).toEqual([]);
  });
});
