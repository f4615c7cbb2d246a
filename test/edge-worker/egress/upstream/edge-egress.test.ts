import { describe, expect, it } from "vitest";
import { createEdgeEgress } from "../../../../edge-worker/egress/upstream/edge-egress.ts";
import type { Policy } from "../../../../edge-worker/policy/policy.ts";
import { parseAddress, UNSPECIFIED } from "../../../../protocol/address.ts";
import { StreamError } from "../../../../protocol/errors.ts";
import { Command } from "../../../../protocol/wire.ts";
import { hex, toHex } from "../../../support/hex.ts";
import { sessionPair } from "../../../support/session-pair.ts";
import { settled } from "../../../support/settled.ts";

const target = parseAddress("example.com", 443);
const bound = parseAddress("192.0.2.7", 4000);
const peer = parseAddress("192.0.2.8", 20);
const caller = {};
const policy: Policy = () => undefined;

/** An egress by an edge that the test plays, whose streams are `incoming`. */
async function byEdge() {
  const pair = await sessionPair();
  const egress = createEdgeEgress(() => Promise.resolve(pair.agent));
  const ending = new AbortController();
  return { ...pair, egress, ending };
}

describe("createEdgeEgress().connect()", () => {
  it("opens a stream to the target, and gives it as the channel", async () => {
    const { egress, clock, incoming, ending } = await byEdge();
    const connecting = egress.connect(target, policy, ending.signal, caller);
    await clock.run();
    expect(incoming[0]).toMatchObject({ command: Command.Connect, address: target });
    incoming[0]?.stream.confirm(bound);
    await clock.run();
    const connection = await connecting;
    expect(connection.bound).toEqual(bound);
    void connection.channel.write(hex("01 02"));
    await clock.run();
    expect(await incoming[0]?.stream.read()).toEqual(hex("01 02"));
  });

  it.each(["connection-refused", "name-not-found", "denied", "quota-exceeded"] as const)(
    "passes on %s, with its text",
    async (reason) => {
      const { egress, clock, incoming, ending } = await byEdge();
      const outcome = settled(egress.connect(target, policy, ending.signal, caller));
      await clock.run();
      incoming[0]?.stream.refuse(reason, "as the other edge says");
      await clock.run();
      expect(await outcome).toMatchObject({ reason, message: "as the other edge says" });
    },
  );

  it("takes the stream back when the signal aborts", async () => {
    const { egress, clock, incoming, ending, agent } = await byEdge();
    const outcome = settled(egress.connect(target, policy, ending.signal, caller));
    await clock.run();
    const reason = new StreamError("timed-out", "too late");
    ending.abort(reason);
    await clock.run();
    expect(await outcome).toBe(reason);
    expect(agent.streamCount).toBe(0);
    await expect(incoming[0]?.stream.read()).rejects.toMatchObject({ reason: "cancelled" });
  });

  it("opens nothing for a signal that aborted while the session was waited for", async () => {
    const { agent, clock, incoming } = await sessionPair();
    const waiting = Promise.withResolvers<typeof agent>();
    const ending = new AbortController();
    const egress = createEdgeEgress(() => waiting.promise);
    const outcome = settled(egress.connect(target, policy, ending.signal, caller));
    const reason = new StreamError("cancelled", "gone");
    ending.abort(reason);
    waiting.resolve(agent);
    await clock.run();
    expect(await outcome).toBe(reason);
    expect(incoming).toHaveLength(0);
  });

  it("leaves the connection to its owner afterwards", async () => {
    const { egress, clock, incoming, ending, agent } = await byEdge();
    const connecting = egress.connect(target, policy, ending.signal, caller);
    await clock.run();
    incoming[0]?.stream.confirm(bound);
    await clock.run();
    await connecting;
    ending.abort("later");
    await clock.run();
    expect(agent.streamCount).toBe(1);
  });

  it("fails with edge-unavailable when the session is lost", async () => {
    const { egress, clock, carriers, ending } = await byEdge();
    const outcome = settled(egress.connect(target, policy, ending.signal, caller));
    await clock.run();
    carriers.cut();
    await clock.run();
    expect(await outcome).toMatchObject({ reason: "edge-unavailable" });
  });
});

describe("createEdgeEgress().listen()", () => {
  it("tells where the other edge listens, then who came", async () => {
    const { egress, clock, incoming, ending } = await byEdge();
    const listening = egress.listen(peer, policy, ending.signal);
    await clock.run();
    expect(incoming[0]).toMatchObject({ command: Command.Bind, address: peer });
    incoming[0]?.stream.confirm(bound);
    await clock.run();
    const { bound: at, accepted } = await listening;
    expect(at).toEqual(bound);
    incoming[0]?.stream.confirm(peer);
    await clock.run();
    expect((await accepted).peer).toEqual(peer);
  });

  it("stops listening when the signal aborts", async () => {
    const { egress, clock, incoming, ending, agent } = await byEdge();
    const listening = egress.listen(peer, policy, ending.signal);
    await clock.run();
    incoming[0]?.stream.confirm(bound);
    await clock.run();
    const accepted = settled((await listening).accepted);
    ending.abort(new StreamError("timed-out", "nobody came"));
    await clock.run();
    expect(await accepted).toMatchObject({ reason: "cancelled" });
    expect(agent.streamCount).toBe(0);
  });

  it("passes on that the other edge cannot", async () => {
    const { egress, clock, incoming, ending } = await byEdge();
    const outcome = settled(egress.listen(peer, policy, ending.signal));
    await clock.run();
    incoming[0]?.stream.refuse("command-unsupported", "This edge does not serve BIND");
    await clock.run();
    expect(await outcome).toMatchObject({ reason: "command-unsupported" });
  });
});

describe("createEdgeEgress(), names", () => {
  it.each([
    ["resolve", Command.Resolve],
    ["reverse", Command.ResolvePtr],
  ] as const)("asks by %s, and ends the stream", async (member, command) => {
    const { egress, clock, incoming, agent } = await byEdge();
    const asking = egress[member](target, policy);
    await clock.run();
    expect(incoming[0]).toMatchObject({ command, address: target });
    incoming[0]?.stream.confirm(peer);
    void incoming[0]?.stream.end();
    await clock.run();
    expect(await asking).toEqual(peer);
    await clock.run();
    expect(agent.streamCount).toBe(0);
  });

  it("asks the policy about what a name resolves to", async () => {
    const { egress, clock, incoming } = await byEdge();
    const denied = new StreamError("denied", "no");
    const outcome = settled(
      egress.resolve(target, () => {
        throw denied;
      }),
    );
    await clock.run();
    incoming[0]?.stream.confirm(peer);
    await clock.run();
    expect(await outcome).toBe(denied);
  });
});

describe("createEdgeEgress().associate()", () => {
  it("brings datagrams both ways until it is closed", async () => {
    const { egress, clock, incoming, agent } = await byEdge();
    const delivered: string[] = [];
    const associating = egress.associate(policy, (from, bytes) => {
      delivered.push(`${from.host} ${toHex(bytes)}`);
    });
    await clock.run();
    expect(incoming[0]).toMatchObject({ command: Command.UdpAssociate });
    const far = incoming[0]?.stream;
    const arrived: string[] = [];
    far?.onDatagram((to, bytes) => arrived.push(`${to.host} ${toHex(bytes)}`));
    far?.confirm(UNSPECIFIED);
    await clock.run();
    const association = await associating;
    association.send(peer, hex("0a"));
    await clock.run();
    far?.sendDatagram(peer, hex("0b"));
    await clock.run();
    expect([arrived, delivered]).toEqual([["192.0.2.8 0a"], ["192.0.2.8 0b"]]);
    association.close();
    await clock.run();
    expect(agent.streamCount).toBe(0);
  });
});
