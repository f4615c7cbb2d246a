import { describe, expect, it } from "vitest";
import { EdgeAssociation } from "../../../../edge-worker/egress/upstream/edge-association.ts";
import { parseAddress, UNSPECIFIED } from "../../../../protocol/address.ts";
import { StreamError } from "../../../../protocol/errors.ts";
import type { Stream } from "../../../../protocol/stream.ts";
import { Command } from "../../../../protocol/wire.ts";
import { hex } from "../../../support/hex.ts";
import { sessionPair } from "../../../support/session-pair.ts";

const peer = parseAddress("192.0.2.8", 53);

/** An association, and the streams that it asked for. */
async function association() {
  const pair = await sessionPair();
  let asked = 0;
  const gate: { failure?: StreamError } = {};
  const open = async (): Promise<Stream> => {
    asked++;
    if (gate.failure) throw gate.failure;
    return pair.agent.open(Command.UdpAssociate, UNSPECIFIED, new Uint8Array()).stream;
  };
  const it = new EdgeAssociation(open, () => {});
  await it.open();
  await pair.clock.run();
  return { ...pair, it, gate, asked: () => asked };
}

describe("EdgeAssociation", () => {
  it("asks for another stream when its own is lost, and goes on by that", async () => {
    const { it, clock, incoming, asked } = await association();
    incoming[0]?.stream.abort(new StreamError("general", "lost"));
    await clock.run();
    it.send(peer, hex("01"));
    await clock.run();
    expect(asked()).toBe(2);
    const arrived: Uint8Array[] = [];
    incoming[1]?.stream.onDatagram((_to, bytes) => arrived.push(bytes.slice()));
    it.send(peer, hex("02"));
    await clock.run();
    expect(arrived).toEqual([hex("02")]);
  });

  it("asks once for many datagrams, and again after a failure", async () => {
    const { it, clock, incoming, gate, asked } = await association();
    incoming[0]?.stream.abort(new StreamError("general", "lost"));
    await clock.run();
    gate.failure = new StreamError("edge-unavailable", "not now");
    for (let i = 0; i < 5; i++) it.send(peer, hex("01"));
    await clock.run();
    expect(asked()).toBe(2);
    it.send(peer, hex("01"));
    await clock.run();
    expect(asked()).toBe(3);
  });

  it("asks for none once closed", async () => {
    const { it, clock, agent, asked } = await association();
    it.close();
    it.send(peer, hex("01"));
    await clock.run();
    expect(agent.streamCount).toBe(0);
    expect(asked()).toBe(1);
  });

  it("ends a stream that comes after it was closed", async () => {
    const { it, clock, incoming, agent } = await association();
    incoming[0]?.stream.abort(new StreamError("general", "lost"));
    await clock.run();
    it.send(peer, hex("01"));
    it.close();
    await clock.run();
    expect(agent.streamCount).toBe(0);
  });
});
