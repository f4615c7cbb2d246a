import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrontDoor, type FrontDoorOptions } from "../../../client-agent/listeners/front-door.ts";
import { createUsers } from "../../../client-agent/listeners/users.ts";
import { Metrics } from "../../../client-agent/observe/metrics.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { type FailureReason, StreamError } from "../../../protocol/errors.ts";
import { replyTo } from "../../../protocol/failure.ts";
import { decodeFrames, type Frame } from "../../../protocol/frame.ts";
import type { IncomingStream } from "../../../protocol/session.ts";
import { FrameType } from "../../../protocol/wire.ts";
import { FakeChannel } from "../../support/fake-channel.ts";
import { cutAt } from "../../support/handshake-outcome.ts";
import { hex, toHex } from "../../support/hex.ts";
import { recordedLog } from "../../support/log.ts";
import { metricValue } from "../../support/metric-value.ts";
import { sessionPair } from "../../support/session-pair.ts";

const greeting = hex("05 01 00");
const request = hex("05 01 00 03 0b 6578616d706c652e636f6d 01bb");
const bound = parseAddress("192.0.2.7", 4000);
/** The answers to greeting and request, the latter with `bound`. */
const welcome = "0500 05000001 c0000207 0fa0".replaceAll(" ", "");
const failure = (rep: number): string =>
  `0500 05${toHex(Uint8Array.of(rep))}0001 000000000000`.replaceAll(" ", "");
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A front door with one client in it, and the edge's end of the session. */
async function clientAtDoor(options: Partial<FrontDoorOptions> = {}, client = new FakeChannel()) {
  const { clock, agent, incoming, carriers, agentLink, edgeLink } = await sessionPair();
  const idleTimers = clock.timerCount;
  const log = recordedLog();
  const metrics = new Metrics();
  const door = new FrontDoor({
    clock,
    log,
    metrics,
    users: createUsers(new Map()),
    handshakeTimeoutMs: 30_000,
    session: async () => agent,
    ...options,
  });
  let isServed = false;
  const served = door.serve(client).then(() => (isServed = true));
  await clock.run();
  return {
    client,
    clock,
    log,
    agent,
    idleTimers,
    agentLink,
    edgeLink,
    sent: carriers.sent.left,
    served,
    isServed: () => isServed,
    metric: (series: string) => metricValue(metrics, series),
    /** Runs all that is ready, then gives the stream that the edge was asked for. */
    stream: async (): Promise<IncomingStream> => {
      await clock.run();
      const [stream] = incoming;
      if (!stream) throw new Error("The edge was not asked for a stream");
      return stream;
    },
  };
}

describe("FrontDoor.serve()", () => {
  it("asks the edge for the target of the request", async () => {
    const { stream } = await clientAtDoor({}, new FakeChannel(greeting, request));
    expect(await stream()).toMatchObject({ command: 1, address: parseAddress("example.com", 443) });
  });

  it("replies with success before data, and not before the edge has answered", async () => {
    const { client, clock, stream } = await clientAtDoor({}, new FakeChannel(greeting, request));
    const { stream: edge } = await stream();
    expect(toHex(client.written)).toBe("0500");
    edge.confirm(bound);
    void edge.write(bytes("data"));
    await clock.run();
    expect(toHex(client.written)).toBe(welcome + toHex(bytes("data")));
  });

  it("sends early data along in OPEN", async () => {
    const early = new FakeChannel(Uint8Array.of(...greeting, ...request, ...bytes("early")));
    const { sent, stream } = await clientAtDoor({}, early);
    const { stream: edge } = await stream();
    const opens = sent.flatMap((message) => [...decodeFrames(message)]).filter(isOpen);
    expect(opens).toMatchObject([{ early: bytes("early") }]);
    expect(await edge.read()).toEqual(bytes("early"));
  });

  it("sends what OPEN has no room for once the edge has answered", async () => {
    const early = Uint8Array.from({ length: 1500 }, (_, i) => i);
    const client = new FakeChannel(Uint8Array.of(...greeting, ...request, ...early));
    const { clock, stream } = await clientAtDoor({}, client);
    const { stream: edge } = await stream();
    edge.confirm(bound);
    const received: number[] = [];
    while (received.length < early.length) {
      const chunk = edge.read();
      await clock.run();
      received.push(...((await chunk) ?? []));
    }
    expect(Uint8Array.from(received)).toEqual(early);
    expect(toHex(client.written)).toBe(welcome);
  });

  it("relays both ways until both have ended", async () => {
    const door = await clientAtDoor({}, new FakeChannel(greeting, request));
    const { client, clock, served, metric } = door;
    const { stream: edge } = await door.stream();
    edge.confirm(bound);
    await clock.run();
    expect(await metric("edgesocks_streams")).toBe(1);
    client.arrive(bytes("up"));
    client.farEnd();
    await clock.run();
    expect(await edge.read()).toEqual(bytes("up"));
    expect(await edge.read()).toBeNull();
    void edge.write(bytes("down")).then(() => edge.end());
    await clock.run();
    await served;
    expect(toHex(client.written)).toBe(welcome + toHex(bytes("down")));
    expect(client).toMatchObject({ hasEnded: true, abortReason: undefined });
    expect(await metric('edgesocks_bytes_total{direction="up"}')).toBe(2);
    expect(await metric('edgesocks_bytes_total{direction="down"}')).toBe(4);
    expect(await metric("edgesocks_streams")).toBe(0);
    expect(await metric("edgesocks_clients")).toBe(0);
  });

  it("relays down though early data still waits for credit", async () => {
    const early = new Uint8Array(1500);
    const client = new FakeChannel(Uint8Array.of(...greeting, ...request, ...early));
    const { clock, stream } = await clientAtDoor({}, client);
    const { stream: edge } = await stream();
    edge.confirm(bound);
    // The target talks before it listens: nothing of `early` is read yet.
    void edge.write(bytes("banner"));
    await clock.run();
    expect(toHex(client.written)).toBe(welcome + toHex(bytes("banner")));
  });

  it("serves a SOCKS4 client in its own words", async () => {
    const client = new FakeChannel(hex("04 01 01bb 00000001 00 6578616d706c652e636f6d 00"));
    const { clock, stream } = await clientAtDoor({}, client);
    const { stream: edge, address } = await stream();
    expect(address).toEqual(parseAddress("example.com", 443));
    edge.confirm(bound);
    await clock.run();
    expect(client.written).toEqual(hex("00 5a 0fa0 c0000207"));
  });

  it("cuts the client when the edge resets the stream", async () => {
    const door = await clientAtDoor({}, new FakeChannel(greeting, request));
    const { stream: edge } = await door.stream();
    edge.confirm(bound);
    await door.clock.run();
    edge.abort(new StreamError("connection-reset", "The target broke off"));
    await door.clock.run();
    await door.served;
    expect(door.client.abortReason).toMatchObject({ reason: "connection-reset" });
    expect(await door.metric("edgesocks_streams")).toBe(0);
  });

  it("resets the stream when the client breaks off", async () => {
    const door = await clientAtDoor({}, new FakeChannel(greeting, request));
    const { stream: edge } = await door.stream();
    edge.confirm(bound);
    await door.clock.run();
    const reading = expect(edge.read()).rejects.toMatchObject({ reason: "connection-reset" });
    door.client.breakOff();
    await door.clock.run();
    await reading;
    await door.served;
    expect(door.agent.streamCount).toBe(0);
  });
});

describe("FrontDoor.serve() on a request that fails", () => {
  it.each(Object.keys(replyTo) as FailureReason[])(
    "replies to %s as failure.ts has it",
    async (reason) => {
      const door = await clientAtDoor({}, new FakeChannel(greeting, request));
      const { stream: edge } = await door.stream();
      edge.refuse(reason, "Cannot connect");
      await door.clock.run();
      expect(toHex(door.client.written)).toBe(failure(replyTo[reason].socks5));
      expect(await door.metric(`edgesocks_requests_failed_total{reason="${reason}"}`)).toBe(1);
      expect(await door.metric("edgesocks_streams_opened_total")).toBe(0);
    },
  );

  it.each(["02", "03", "00", "7f", "f0"])(
    "replies REP 7 to command %s, and asks no edge",
    async (cmd) => {
      const command = hex(`05 ${cmd} 00 01 01020304 0050`);
      const session = (): never => {
        throw new Error("The edge was asked");
      };
      const { client } = await clientAtDoor({ session }, new FakeChannel(greeting, command));
      expect(toHex(client.written)).toBe(failure(7));
    },
  );

  it("replies REP 1 when there is no edge", async () => {
    const session = () => Promise.reject(new StreamError("edge-unavailable", "There is no edge"));
    const { client } = await clientAtDoor({ session }, new FakeChannel(greeting, request));
    expect(toHex(client.written)).toBe(failure(1));
  });

  it("replies REP 1 when the carrier is lost before the answer", async () => {
    const door = await clientAtDoor({}, new FakeChannel(greeting, request));
    door.agentLink.close("The network went away");
    await door.clock.run();
    expect(toHex(door.client.written)).toBe(failure(1));
  });

  it("takes the stream back when the client breaks off before the answer", async () => {
    const door = await clientAtDoor({}, new FakeChannel(greeting, request));
    const { stream: edge } = await door.stream();
    const reading = expect(edge.read()).rejects.toBeInstanceOf(StreamError);
    door.client.breakOff();
    await door.clock.run();
    await reading;
    await door.served;
    expect(door.agent.streamCount).toBe(0);
  });

  it("replies to a SOCKS4 client in its own words", async () => {
    const client = new FakeChannel(hex("04 01 01bb 01020304 00"));
    const door = await clientAtDoor({}, client);
    (await door.stream()).stream.refuse("denied", "Cannot connect");
    await door.clock.run();
    expect(client.written).toEqual(hex("00 5b 0000 00000000"));
    expect(client).toMatchObject({ hasEnded: true, abortReason: undefined });
  });

  it("half-closes after the reply, and ends once the client closes", async () => {
    const door = await clientAtDoor(
      {},
      new FakeChannel(greeting, hex("05 02 00 01 01020304 0050")),
    );
    expect(door.client).toMatchObject({ hasEnded: true, abortReason: undefined });
    door.client.farEnd();
    await door.served;
    expect(door.clock.timerCount).toBe(door.idleTimers);
  });

  it("ends within 10 s though the client neither closes nor falls silent", async () => {
    const door = await clientAtDoor(
      {},
      new FakeChannel(greeting, hex("05 02 00 01 01020304 0050")),
    );
    for (let seconds = 0; seconds < 10; seconds++) {
      door.client.arrive(bytes("more"));
      await door.clock.advance(1000);
    }
    expect(door.isServed()).toBe(true);
    expect(door.client.abortReason).toBeDefined();
  });
});

describe("FrontDoor.serve() on a handshake that fails", () => {
  it.each([
    ["03", "the first byte is 3"],
    ["47", "the first byte is 71"],
    ["05 01 02", "this port wants no authentication"],
    ["05 01 00 05 01 00 09", "ATYP is 9"],
  ])("closes, counts and logs %s once", async (input, reason) => {
    const door = await clientAtDoor({}, new FakeChannel(hex(input)));
    expect(door.client).toMatchObject({ hasEnded: true, abortReason: undefined });
    door.client.farEnd();
    await door.served;
    expect(door.log.lines).toEqual([expect.stringContaining(reason)]);
    expect(door.log.lines[0]).toMatch(/^warn /);
    expect(await door.metric('edgesocks_clients_failed_total{code="ERR_HANDSHAKE"}')).toBe(1);
  });

  it("does not answer a client that begins with neither 4 nor 5", async () => {
    const { client } = await clientAtDoor({}, new FakeChannel(bytes("GET / HTTP/1.1\r\n\r\n")));
    expect(client.written).toHaveLength(0);
  });

  it.each([
    ["at once", ""],
    ["after its greeting", "05 01 00"],
    ["within its request", "05 01 00 05 01 00 01 01"],
  ])("counts a client that leaves %s", async (_when, input) => {
    const client = new FakeChannel(hex(input));
    client.farEnd();
    const door = await clientAtDoor({}, client);
    await door.served;
    expect(await door.metric('edgesocks_clients_failed_total{code="ERR_HANDSHAKE_EOF"}')).toBe(1);
    expect(await door.metric("edgesocks_clients")).toBe(0);
  });

  it.each(["", "05", "05 01 00", "05 01 00 05 01"])(
    "is ended when it stalls behind %j",
    async (input) => {
      const door = await clientAtDoor({ handshakeTimeoutMs: 7000 }, new FakeChannel(hex(input)));
      await door.clock.advance(6999);
      expect(door.client.abortReason).toBeUndefined();
      await door.clock.advance(1);
      await door.served;
      expect(door.client.abortReason).toMatchObject({ code: "ERR_HANDSHAKE_TIMEOUT" });
      expect(door.clock.timerCount).toBe(door.idleTimers);
    },
  );

  it("counts and logs one that stalls as ERR_HANDSHAKE_TIMEOUT", async () => {
    const door = await clientAtDoor({ handshakeTimeoutMs: 7000 }, new FakeChannel(greeting));
    await door.clock.advance(7000);
    await door.served;
    expect(await door.metric('edgesocks_clients_failed_total{code="ERR_HANDSHAKE_TIMEOUT"}')).toBe(
      1,
    );
    expect(door.log.lines).toEqual([expect.stringMatching(/^warn .*nothing within 7 s/)]);
  });

  it("has no time limit once the request is there", async () => {
    const door = await clientAtDoor(
      { handshakeTimeoutMs: 7000 },
      new FakeChannel(greeting, request),
    );
    await door.clock.advance(8000);
    expect(door.client.abortReason).toBeUndefined();
    expect(door.isServed()).toBe(false);
  });

  it("never rejects, whatever the client sends and however it leaves", () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 80 }),
        fc.array(fc.nat(80)),
        fc.constantFrom("farEnd", "breakOff", "stays"),
        async (garbage, places, leaving) => {
          const client = new FakeChannel(...cutAt(Uint8Array.of(5, 1, 0, ...garbage), places));
          if (leaving !== "stays") client[leaving]();
          const door = await clientAtDoor({}, client);
          await door.clock.advance(60_000);
          // A request that was understood waits for the edge, which has nothing to say here.
          door.agentLink.close("over");
          await door.clock.advance(10_000);
          await door.served;
          expect(await door.metric("edgesocks_clients")).toBe(0);
        },
      ),
      { numRuns: 50 },
    ));
});

function isOpen(frame: Frame): boolean {
  return frame.type === FrameType.Open;
}
