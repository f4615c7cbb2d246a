import { describe, expect, it } from "vitest";
import { Gateway, type OpenMode } from "../../../client-agent/listeners/gateway.ts";
import { Metrics } from "../../../client-agent/observe/metrics.ts";
import { parseAddress, UNSPECIFIED } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import type { Hello } from "../../../protocol/hello.ts";
import type { Session } from "../../../protocol/session.ts";
import { Capability, Command } from "../../../protocol/wire.ts";
import { FakeChannel } from "../../support/fake-channel.ts";
import { recordedLog } from "../../support/log.ts";
import { metricValue } from "../../support/metric-value.ts";
import { helloWith, type SessionPair, sessionPair } from "../../support/session-pair.ts";
import { fateOf } from "../../support/stream-bytes.ts";

const target = {
  command: Command.Connect,
  address: parseAddress("example.com", 443),
  user: undefined,
};
const bound = parseAddress("192.0.2.7", 4000);
const nothing = new Uint8Array();

async function gatewayWith(
  session?: () => Promise<never>,
  open: OpenMode = "honest",
  edgeHello?: Hello,
  fallback?: Session,
) {
  const pair: SessionPair = await sessionPair(undefined, edgeHello);
  const metrics = new Metrics();
  const log = recordedLog();
  const gateway = new Gateway({
    clock: pair.clock,
    open,
    log,
    metrics,
    session: session ?? (async () => pair.agent),
    fallback: fallback && (async () => fallback),
  });
  return { ...pair, gateway, log, metric: (series: string) => metricValue(metrics, series) };
}

describe("Gateway.open()", () => {
  it("gives the stream, its bound address, and the early bytes that are left", async () => {
    const { gateway, clock, incoming } = await gatewayWith();
    const early = Uint8Array.from({ length: 1500 }, (_, i) => i);
    const opening = gateway.open(target, new FakeChannel(), early);
    await clock.run();
    incoming[0]?.stream.confirm(bound);
    await clock.run();
    const { bound: told, rest, stream } = await opening;
    expect(told).toEqual(bound);
    expect(rest).toEqual(early.subarray(early.length - rest.length));
    expect(rest.length).toBeLessThan(early.length);
    expect(stream.id).toBe(incoming[0]?.stream.id);
  });

  it.each([
    ["a command that it does not know", 9, undefined, "command-unsupported"],
    [
      "no edge",
      Command.Connect,
      () => Promise.reject(new StreamError("edge-unavailable", "There is no edge")),
      "edge-unavailable",
    ],
  ])("counts and logs %s", async (_what, command, session, reason) => {
    const { gateway, log, metric } = await gatewayWith(session);
    const opening = gateway.open({ ...target, command }, new FakeChannel(), nothing);
    await expect(opening).rejects.toMatchObject({ reason });
    expect(await metric(`edgesocks_requests_failed_total{reason="${reason}"}`)).toBe(1);
    expect(log.lines).toEqual([expect.stringMatching(/^debug A request failed/)]);
  });

  it.each([0, Capability.Bind | Capability.Resolve])(
    "refuses UDP without asking when the edge has said %i",
    async (capabilities) => {
      const hello = helloWith({ capabilities });
      const { gateway, clock, incoming } = await gatewayWith(undefined, "honest", hello);
      const request = { ...target, command: Command.UdpAssociate };
      const opening = gateway.open(request, new FakeChannel(), nothing);
      await expect(opening).rejects.toMatchObject({ reason: "command-unsupported" });
      await clock.run();
      expect(incoming).toEqual([]);
    },
  );

  it.each([Capability.UdpNative, Capability.UdpDns])(
    "asks for UDP when the edge has said %i",
    async (capabilities) => {
      const hello = helloWith({ capabilities });
      const { gateway, clock, incoming } = await gatewayWith(undefined, "honest", hello);
      const request = { ...target, command: Command.UdpAssociate };
      void gateway.open(request, new FakeChannel(), nothing);
      await clock.run();
      expect(incoming).toHaveLength(1);
    },
  );

  it("takes the request back when the client breaks off", async () => {
    const { gateway, agent, clock, incoming } = await gatewayWith();
    const client = new FakeChannel();
    const opening = fateOf(gateway.open(target, client, nothing));
    await clock.run();
    expect(incoming).toHaveLength(1);
    client.breakOff();
    await clock.run();
    expect(opening.now).toMatchObject({ reason: "connection-reset" });
    expect(agent.streamCount).toBe(0);
  });
});

describe("Gateway.open() before the answer", () => {
  async function opening(mode: OpenMode) {
    const parts = await gatewayWith(undefined, mode);
    const open = async (command: Command = Command.Connect) => {
      const client = new FakeChannel();
      const opened = fateOf(parts.gateway.open({ ...target, command }, client, nothing));
      await parts.clock.run();
      return { opened, served: parts.incoming.at(-1)?.stream };
    };
    return { ...parts, open };
  }

  it("never opens where it is to be honest", async () => {
    const { open, clock } = await opening("honest");
    const first = await open();
    first.served?.confirm(bound);
    await clock.run();
    expect((await open()).opened.now).toBe("pending");
  });

  it("opens at once where it is to be fast, for CONNECT alone", async () => {
    const { open } = await opening("fast");
    expect((await open()).opened.now).toMatchObject({ bound: UNSPECIFIED });
    expect((await open(Command.Bind)).opened.now).toBe("pending");
    expect((await open(Command.Resolve)).opened.now).toBe("pending");
  });

  it("expects a target to answer that did so of late, until it does not", async () => {
    const { open, clock, metric } = await opening("adaptive");
    const first = await open();
    expect(first.opened.now).toBe("pending");
    first.served?.confirm(bound);
    await clock.run();
    const second = await open();
    expect(second.opened.now).toMatchObject({ bound: UNSPECIFIED });
    second.served?.refuse("connection-refused", "no");
    await clock.run();
    expect(await metric('edgesocks_requests_failed_total{reason="connection-refused"}')).toBe(1);
    expect((await open()).opened.now).toBe("pending");
  });

  it("breaks the stream whose answer is a failure", async () => {
    const { gateway, clock, incoming } = await opening("fast");
    const { stream } = await gateway.open(target, new FakeChannel(), nothing);
    await clock.run();
    const reading = fateOf(stream.read());
    incoming[0]?.stream.refuse("denied", "no");
    await clock.run();
    expect(reading.now).toMatchObject({ reason: "denied" });
  });
});

describe("Gateway.hold()", () => {
  it("counts the stream while it is used, and its bytes after", async () => {
    const { gateway, agent, metric } = await gatewayWith();
    const { stream } = agent.open(target.command, target.address, nothing);
    const using = Promise.withResolvers<void>();
    const totals = { leftToRight: 1, rightToLeft: 0 };
    const held = gateway.hold(stream, totals, () => using.promise);
    expect(await metric("edgesocks_streams")).toBe(1);
    totals.rightToLeft = 2;
    using.resolve();
    await held;
    expect(await metric("edgesocks_streams")).toBe(0);
    expect(await metric("edgesocks_streams_opened_total")).toBe(1);
    expect(await metric('edgesocks_bytes_total{direction="up"}')).toBe(1);
    expect(await metric('edgesocks_bytes_total{direction="down"}')).toBe(2);
  });

  it("resets the stream when its use fails", async () => {
    const { gateway, agent, metric } = await gatewayWith();
    const { stream } = agent.open(target.command, target.address, nothing);
    const cause = new StreamError("connection-reset", "The client broke off");
    const held = gateway.hold(stream, { leftToRight: 0, rightToLeft: 0 }, () =>
      Promise.reject(cause),
    );
    await expect(held).rejects.toBe(cause);
    expect(agent.streamCount).toBe(0);
    expect(await metric("edgesocks_streams")).toBe(0);
  });
});

describe("Gateway.open() with a fallback edge", () => {
  async function twoEdges(mode: OpenMode = "honest", hello?: Hello) {
    const second = await sessionPair();
    const first = await gatewayWith(undefined, mode, hello, second.agent);
    const settle = async (): Promise<void> => {
      await first.clock.run();
      await second.clock.run();
    };
    const open = async (command: Command = Command.Connect, early: Uint8Array = nothing) => {
      const client = new FakeChannel();
      const opened = fateOf(first.gateway.open({ ...target, command }, client, early));
      await settle();
      return { opened, client };
    };
    return { first, second, settle, open };
  }

  it.each(["platform-blocked", "command-unsupported", "edge-unavailable"] as const)(
    "opens there what failed by %s, early data and all, and counts no failure",
    async (reason) => {
      const { first, second, settle, open } = await twoEdges();
      const { opened } = await open(Command.Connect, Uint8Array.of(1, 2, 3));
      first.incoming[0]?.stream.refuse(reason, "not here");
      await settle();
      const [incoming] = second.incoming;
      expect(incoming?.address).toEqual(target.address);
      incoming?.stream.confirm(bound);
      await settle();
      expect(opened.now).toMatchObject({ bound, rest: nothing });
      expect(await incoming?.stream.read()).toEqual(Uint8Array.of(1, 2, 3));
      expect(await first.metric(`edgesocks_requests_failed_total{reason="${reason}"}`)).toBe(
        undefined,
      );
    },
  );

  it.each(["connection-refused", "denied", "timed-out", "quota-exceeded"] as const)(
    "takes %s for the answer",
    async (reason) => {
      const { first, second, settle, open } = await twoEdges();
      const { opened } = await open();
      first.incoming[0]?.stream.refuse(reason, "no");
      await settle();
      expect(opened.now).toMatchObject({ reason });
      expect(second.incoming).toEqual([]);
    },
  );

  it("asks once, and tells what the fallback said of the target", async () => {
    const { first, second, settle, open } = await twoEdges();
    const { opened } = await open();
    first.incoming[0]?.stream.refuse("platform-blocked", "not here");
    await settle();
    second.incoming[0]?.stream.refuse("connection-refused", "no");
    await settle();
    expect(opened.now).toMatchObject({ reason: "connection-refused" });
    expect([first.incoming.length, second.incoming.length]).toEqual([1, 1]);
  });

  it("tells why the first failed when the fallback is away", async () => {
    const { first, second, settle, open } = await twoEdges();
    second.agent.close("gone");
    const { opened } = await open();
    first.incoming[0]?.stream.refuse("platform-blocked", "not here");
    await settle();
    expect(opened.now).toMatchObject({ reason: "platform-blocked" });
  });

  it("goes there at once for a target that is known to be blocked", async () => {
    const { first, second, settle, open } = await twoEdges("fast");
    await open();
    first.incoming[0]?.stream.refuse("platform-blocked", "not here");
    await settle();
    await open();
    expect([first.incoming.length, second.incoming.length]).toEqual([1, 1]);
  });

  it("does not send early data a second time when the session was lost meanwhile", async () => {
    const { first, second, settle, open } = await twoEdges();
    const { opened } = await open(Command.Connect, Uint8Array.of(1));
    first.carriers.cut();
    await settle();
    expect(opened.now).toMatchObject({ reason: "edge-unavailable" });
    expect(second.incoming).toEqual([]);
  });

  it("opens there a request without early data whose session was lost", async () => {
    const { first, second, settle, open } = await twoEdges();
    await open();
    first.carriers.cut();
    await settle();
    expect(second.incoming).toHaveLength(1);
  });

  it("takes associations there when the first relays DNS alone", async () => {
    const hello = helloWith({ capabilities: Capability.UdpDns });
    const { first, second, open } = await twoEdges("honest", hello);
    await open(Command.UdpAssociate);
    expect([first.incoming.length, second.incoming.length]).toEqual([0, 1]);
  });

  it("takes them to the first all the same while the fallback is away", async () => {
    const hello = helloWith({ capabilities: Capability.UdpDns });
    const { first, second, open } = await twoEdges("honest", hello);
    second.agent.close("gone");
    await open(Command.UdpAssociate);
    expect(first.incoming).toHaveLength(1);
  });

  it("asks nobody else for a client that has broken off", async () => {
    const { second, settle, open } = await twoEdges();
    const { opened, client } = await open();
    client.breakOff();
    await settle();
    expect(opened.now).toMatchObject({ reason: "connection-reset" });
    expect(second.incoming).toEqual([]);
  });
});
