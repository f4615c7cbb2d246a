import { describe, expect, it } from "vitest";
import { StunMethod } from "../../../../edge-worker/egress/turn/stun-message.ts";
import { encodeU32 } from "../../../../edge-worker/egress/turn/stun-values.ts";
import { TurnCredentials } from "../../../../edge-worker/egress/turn/turn-credentials.ts";
import { openDataConnection } from "../../../../edge-worker/egress/turn/turn-data-connection.ts";
import { FakeTurn } from "../../../support/fake-turn.ts";
import { hex } from "../../../support/hex.ts";
import { fateOf } from "../../../support/stream-bytes.ts";

const never = new AbortController().signal;

function open(turn: FakeTurn) {
  const credentials = new TurnCredentials(turn.server);
  const opening = openDataConnection(turn.server, credentials, encodeU32(7), never);
  return { opening, fate: fateOf(opening) };
}

describe("openDataConnection()", () => {
  it("answers a challenge, where the server keeps the connection for that", async () => {
    const turn = new FakeTurn();
    const { opening } = open(turn);
    await turn.run();
    expect(turn.requests).toEqual(["ConnectionBind 401", "ConnectionBind"]);
    const channel = await opening;
    turn.connections[0]?.channel.arrive(hex("0a"));
    expect(await channel.read()).toEqual(hex("0a"));
  });

  it("gives what came right behind the answer", async () => {
    const turn = new FakeTurn();
    const { opening } = open(turn);
    await turn.clock.run();
    const connection = turn.connections[0];
    const arrive = connection?.channel.arrive.bind(connection.channel);
    if (connection && arrive) {
      connection.channel.arrive = (chunk) => {
        const isSuccess = chunk?.[0] === 0x01 && chunk[1] === 0x0b;
        arrive(Uint8Array.from([...(chunk ?? []), ...(isSuccess ? [0x48, 0x69] : [])]));
      };
    }
    await turn.run();
    const channel = await opening;
    expect(await channel.read()).toEqual(hex("4869"));
    connection?.channel.farEnd();
    expect(await channel.read()).toBeNull();
  });

  it.each<[string, (turn: FakeTurn) => void]>([
    ["an error", (turn) => turn.refusals.push({ method: StunMethod.ConnectionBind, code: 447 })],
    ["an answer that is signed by another", (turn) => (turn.isForged = true)],
  ])("throws for %s, and ends the connection", async (_what, arrange) => {
    const turn = new FakeTurn();
    arrange(turn);
    const { fate } = open(turn);
    await turn.run();
    expect(fate.now).toMatchObject({ name: "StreamError" });
    expect(turn.connections[0]?.channel.abortReason).toBe(fate.now);
  });

  it.each([
    ["channel data", hex("40000000")],
    ["an answer to nobody", hex("010b0000 2112a442 000000000000000000000000")],
  ])("throws for %s", async (_what, bytes) => {
    const turn = new FakeTurn();
    turn.silent.add(StunMethod.ConnectionBind);
    const { fate } = open(turn);
    await turn.run();
    turn.connections[0]?.channel.arrive(bytes);
    await turn.run();
    expect(fate.now).toMatchObject({ reason: "general" });
  });

  it("throws when the server closes it", async () => {
    const turn = new FakeTurn();
    turn.silent.add(StunMethod.ConnectionBind);
    const { fate } = open(turn);
    await turn.run();
    turn.connections[0]?.channel.farEnd();
    await turn.run();
    expect(fate.now).toMatchObject({ reason: "general" });
  });
});
