import { describe, expect, it } from "vitest";
import {
  attributeOf,
  type StunMessage,
  StunAttribute,
  StunMethod,
} from "../../../../edge-worker/egress/turn/stun-message.ts";
import { encodeText, decodeText } from "../../../../edge-worker/egress/turn/stun-values.ts";
import { dialTurn, TurnConnection } from "../../../../edge-worker/egress/turn/turn-connection.ts";
import { encodeChannelData } from "../../../../edge-worker/egress/turn/turn-framing.ts";
import { StreamError } from "../../../../protocol/errors.ts";
import { FakeTurn, type FakeTurnConnection } from "../../../support/fake-turn.ts";
import { hex } from "../../../support/hex.ts";
import { fateOf } from "../../../support/stream-bytes.ts";

const never = new AbortController().signal;

async function connect(turn = new FakeTurn()) {
  const indications: StunMessage[] = [];
  const data: [number, Uint8Array][] = [];
  const lost: StreamError[] = [];
  const channel = await dialTurn(turn.server, never);
  const connection = new TurnConnection(turn.server, channel, {
    indication: (message) => void indications.push(message),
    channelData: (number, bytes) => void data.push([number, bytes]),
    lost: (reason) => void lost.push(reason),
  });
  const peer = turn.connections[0] as FakeTurnConnection;
  const request = (method: number = StunMethod.Allocate) =>
    connection.request("relay", method, () => []);
  return { turn, connection, peer, request, indications, data, lost };
}

describe("TurnConnection.request()", () => {
  it("answers the challenge, and signs from then on", async () => {
    const { turn, request } = await connect();
    const [first, second] = [fateOf(request()), fateOf(Promise.resolve())];
    await turn.run();
    expect(first.now).toMatchObject({ method: StunMethod.Allocate });
    expect(second.now).toBeUndefined();
    const next = fateOf(request(StunMethod.Refresh));
    await turn.run();
    expect(next.now).toMatchObject({ method: StunMethod.Refresh });
    expect(turn.requests).toEqual(["Allocate 401", "Allocate", "Refresh"]);
  });

  it("takes a new nonce when the old one is stale", async () => {
    const { turn, request, peer } = await connect();
    void request();
    await turn.run();
    turn.nonce = "nonce-2";
    const fate = fateOf(request(StunMethod.Refresh));
    await turn.run();
    expect(fate.now).toMatchObject({ method: StunMethod.Refresh });
    expect(turn.requests.slice(-2)).toEqual(["Refresh 438", "Refresh"]);
    const nonce = attributeOf(peer.messages.at(-1) as StunMessage, StunAttribute.Nonce);
    expect(nonce && decodeText(nonce)).toBe("nonce-2");
  });

  it("gives up on a server that takes no nonce", async () => {
    const { turn, request } = await connect();
    for (let i = 0; i < 9; i++) turn.refusals.push({ method: StunMethod.Allocate, code: 438 });
    const fate = fateOf(request());
    await turn.run();
    expect(fate.now).toMatchObject({ reason: "general" });
    expect(turn.requests).toEqual(["Allocate 401", "Allocate 438", "Allocate 438"]);
  });

  it("tells of a password that the server refuses, after one try", async () => {
    const turn = new FakeTurn();
    const server = { ...turn.server, password: "another" };
    const channel = await dialTurn(server, never);
    const ignore = { indication: () => {}, channelData: () => {}, lost: () => {} };
    const connection = new TurnConnection(server, channel, ignore);
    const fate = fateOf(connection.request("relay", StunMethod.Allocate, () => []));
    await turn.run();
    expect(fate.now).toMatchObject({
      reason: "general",
      message: "Cannot relay at the TURN server: it refuses the user name or password",
    });
    expect(turn.requests).toEqual(["Allocate 401", "Allocate 401"]);
  });

  it("takes no answer that is signed by another", async () => {
    const { turn, request } = await connect();
    turn.isForged = true;
    const fate = fateOf(request());
    await turn.run();
    expect(fate.now).toBe("pending");
    await turn.advance(10_000);
    expect(fate.now).toMatchObject({ reason: "timed-out" });
  });

  it("waits ten seconds for an answer", async () => {
    const { turn, request } = await connect();
    turn.silent.add(StunMethod.Allocate);
    const fate = fateOf(request());
    await turn.advance(9999);
    expect(fate.now).toBe("pending");
    await turn.advance(1);
    expect(fate.now).toMatchObject({ reason: "timed-out" });
    expect(turn.clock.timerCount).toBe(0);
  });
});

describe("TurnConnection and what comes by itself", () => {
  it("tells of indications and of channel data, however they are cut", async () => {
    const { turn, peer, indications, data } = await connect();
    const bytes = encodeChannelData(0x4001, hex("0a0b0c"));
    for (const octet of bytes) peer.channel.arrive(Uint8Array.of(octet));
    peer.indicate(StunMethod.Data, () => [{ type: StunAttribute.Data, value: encodeText("x") }]);
    await turn.run();
    expect(data).toEqual([[0x4001, hex("0a0b0c")]]);
    expect(indications.map(({ method }) => method)).toEqual([StunMethod.Data]);
  });

  it.each<[string, (peer: FakeTurnConnection) => void]>([
    ["the server closes it", ({ channel }) => channel.farEnd()],
    ["it breaks", ({ channel }) => channel.breakOff()],
    ["something else than TURN comes", ({ channel }) => channel.arrive(hex("ffffffff"))],
    [
      "a message is malformed",
      ({ channel }) => channel.arrive(hex("00010000 00000000".padEnd(49, "0"))),
    ],
  ])("tells once when %s, and fails what waits", async (_what, end) => {
    const { turn, connection, request, peer, lost } = await connect();
    turn.silent.add(StunMethod.Allocate);
    const fate = fateOf(request());
    await turn.run();
    end(peer);
    await turn.run();
    expect(lost).toHaveLength(1);
    expect(fate.now).toBeInstanceOf(StreamError);
    expect(connection.sendChannelData(0x4001, hex("00"))).toBe(false);
    await expect(request()).rejects.toBe(lost[0]);
    expect(turn.clock.timerCount).toBe(0);
  });

  it("tells nobody when it was closed on purpose", async () => {
    const { turn, connection, peer, lost } = await connect();
    connection.close();
    await turn.run();
    expect(lost).toEqual([]);
    expect(peer.channel.abortReason).toMatchObject({ reason: "cancelled" });
  });
});

describe("TurnConnection.sendChannelData()", () => {
  it("keeps 256 KiB for a connection that stands still, and drops the rest", async () => {
    const { turn, connection, peer } = await connect();
    const gate = Promise.withResolvers<void>();
    peer.channel.write = () => gate.promise;
    let sent = 0;
    while (connection.sendChannelData(0x4001, new Uint8Array(1000))) sent++;
    // 1000 bytes, their header, and 64 for each.
    expect(sent).toBe(Math.floor(262_144 / 1068));
    gate.resolve();
    await turn.run();
    expect(connection.sendChannelData(0x4001, new Uint8Array(1000))).toBe(true);
  });
});

describe("dialTurn()", () => {
  it("gives up after ten seconds, and closes what comes of it", async () => {
    const turn = new FakeTurn();
    const late = Promise.withResolvers<FakeTurnConnection["channel"]>();
    const server = { ...turn.server, dial: () => late.promise };
    const fate = fateOf(dialTurn(server, never));
    await turn.clock.advance(10_000);
    expect(fate.now).toMatchObject({ reason: "timed-out" });
    const channel = await turn.server.dial(never);
    late.resolve(channel as FakeTurnConnection["channel"]);
    await turn.run();
    expect(turn.connections[0]?.channel.abortReason).toMatchObject({ reason: "cancelled" });
  });
});
