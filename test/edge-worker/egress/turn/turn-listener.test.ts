import { describe, expect, it } from "vitest";
import { StunAttribute, StunMethod } from "../../../../edge-worker/egress/turn/stun-message.ts";
import { encodeU32, encodeXorAddress } from "../../../../edge-worker/egress/turn/stun-values.ts";
import { listenByTurn } from "../../../../edge-worker/egress/turn/turn-listener.ts";
import { type Address, parseAddress } from "../../../../protocol/address.ts";
import { StreamError } from "../../../../protocol/errors.ts";
import { FakeTurn, RELAYED } from "../../../support/fake-turn.ts";
import { hex } from "../../../support/hex.ts";
import { fateOf } from "../../../support/stream-bytes.ts";

const expected = parseAddress("192.0.2.1", 0);

async function listen(turn = new FakeTurn(), peer = expected) {
  const ending = new AbortController();
  const listening = listenByTurn(turn.server, peer, ending.signal);
  const fate = fateOf(listening);
  await turn.run();
  if (fate.now instanceof Error) throw fate.now;
  const { bound, accepted } = await listening;
  const attempt = async (from: Address): Promise<void> => {
    turn.connections[0]?.indicate(StunMethod.ConnectionAttempt, (id) => [
      { type: StunAttribute.ConnectionId, value: encodeU32(7) },
      { type: StunAttribute.XorPeerAddress, value: encodeXorAddress(from, id) },
    ]);
    await turn.run();
  };
  return { turn, ending, bound, accepted: fateOf(accepted), attempt, promise: accepted };
}

const from = parseAddress("192.0.2.1", 20);

describe("listenByTurn()", () => {
  it("tells the relay's address, and gives the peer's connection", async () => {
    const { turn, bound, accepted, attempt, promise } = await listen();
    expect(bound).toEqual(RELAYED);
    expect(turn.requests).toEqual(["Allocate 401", "Allocate", "CreatePermission"]);
    await attempt(from);
    expect(accepted.now).toMatchObject({ peer: from });
    // Signed at once: coturn ends a data connection that it would have to challenge.
    expect(turn.connections[1]?.requests).toEqual(["ConnectionBind"]);
    const { channel } = await promise;
    turn.connections[1]?.channel.arrive(hex("0a0b"));
    expect(await channel.read()).toEqual(hex("0a0b"));
    await channel.write(hex("0c"));
    expect(turn.connections[1]?.channel.written.at(-1)).toBe(0x0c);
  });

  it("keeps the relay until both sides have ended", async () => {
    const { turn, attempt, promise } = await listen();
    await attempt(from);
    const { channel } = await promise;
    const data = turn.connections[1]?.channel;
    data?.farEnd();
    expect(await channel.read()).toBeNull();
    await turn.advance(600_000, 60_000);
    expect(turn.requests.filter((request) => request === "Refresh")).toHaveLength(1);
    await channel.end();
    await turn.run();
    expect(turn.requests.filter((request) => request === "Refresh")).toHaveLength(2);
    expect(turn.connections[0]?.channel.abortReason).toBeDefined();
    expect(turn.clock.timerCount).toBe(0);
  });

  it("ends its side a second late, as coturn drops what is on its way", async () => {
    const { turn, attempt, promise } = await listen();
    await attempt(from);
    const { channel } = await promise;
    const ended = fateOf(channel.end());
    await turn.advance(999);
    expect(turn.connections[1]?.channel.hasEnded).toBe(false);
    await turn.advance(1);
    expect(turn.connections[1]?.channel.hasEnded).toBe(true);
    expect(ended.now).toBeUndefined();
  });

  it("takes a reset by the server for the end, as coturn has no other", async () => {
    const { turn, attempt, promise } = await listen();
    await attempt(from);
    const { channel } = await promise;
    let failure: unknown;
    channel.onceFailed((reason) => (failure = reason));
    const data = turn.connections[1]?.channel;
    data?.breakOff();
    expect(await channel.read()).toBeNull();
    await channel.end();
    await turn.run();
    expect(failure).toBeUndefined();
    expect(turn.connections[0]?.requests.at(-1)).toBe("Refresh");
    expect(turn.clock.timerCount).toBe(0);
  });

  it("takes one connection, from the expected peer", async () => {
    const { turn, accepted, attempt } = await listen();
    await attempt(parseAddress("192.0.2.2", 20));
    expect(accepted.now).toBe("pending");
    await attempt(from);
    await attempt({ ...from, port: 21 });
    expect(accepted.now).toMatchObject({ peer: from });
    expect(turn.connections).toHaveLength(2);
  });

  it.each(["0.0.0.0", "::"])("refuses %s, as TURN permits nobody without a name", async (host) => {
    const turn = new FakeTurn();
    const refused = { reason: "address-unsupported" };
    await expect(listen(turn, parseAddress(host, 0))).rejects.toMatchObject(refused);
    expect(turn.connections).toEqual([]);
  });

  it.each([
    [StunMethod.Allocate, 442, "command-unsupported"],
    [StunMethod.CreatePermission, 403, "denied"],
  ])("refuses when method %i is answered by %i", async (method, code, reason) => {
    const turn = new FakeTurn();
    turn.refusals.push({ method, code });
    await expect(listen(turn)).rejects.toMatchObject({ reason });
    await turn.run();
    expect(turn.connections[0]?.channel.abortReason).toBeDefined();
    expect(turn.clock.timerCount).toBe(0);
  });

  it.each<[string, (parts: Awaited<ReturnType<typeof listen>>) => void]>([
    ["the signal aborts", ({ ending }) => ending.abort(new StreamError("cancelled", "Gone"))],
    ["the server is lost", ({ turn }) => turn.connections[0]?.channel.farEnd()],
  ])("rejects, and gives the relay back, when %s", async (_what, end) => {
    const parts = await listen();
    end(parts);
    await parts.turn.run();
    expect(parts.accepted.now).toBeInstanceOf(StreamError);
    expect(parts.turn.connections[0]?.channel.abortReason).toBeDefined();
    expect(parts.turn.clock.timerCount).toBe(0);
  });

  it("breaks the data connection when the server is lost", async () => {
    const { turn, attempt, promise } = await listen();
    await attempt(from);
    const { channel } = await promise;
    turn.connections[0]?.channel.farEnd();
    await turn.run();
    await expect(channel.read()).rejects.toMatchObject({ reason: "host-unreachable" });
  });

  it("rejects when the data connection is refused", async () => {
    const { turn, accepted, attempt } = await listen();
    turn.refusals.push({ method: StunMethod.ConnectionBind, code: 447 });
    await attempt(from);
    expect(accepted.now).toMatchObject({ reason: "host-unreachable" });
    for (const { channel } of turn.connections) expect(channel.abortReason).toBeDefined();
    expect(turn.clock.timerCount).toBe(0);
  });
});
