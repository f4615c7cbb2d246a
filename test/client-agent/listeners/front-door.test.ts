import ipaddr from "ipaddr.js";
import { Gate } from "../../../client-agent/listeners/gate.ts";
import { openGate } from "../../support/open-gate.ts";
import { describe, expect, it } from "vitest";
import type { Users } from "../../../client-agent/listeners/users.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { type FailureReason, StreamError } from "../../../protocol/errors.ts";
import { replyTo } from "../../../protocol/failure.ts";
import { decodeFrames, type Frame } from "../../../protocol/frame.ts";
import { FrameType } from "../../../protocol/wire.ts";
import { clientAtDoor } from "../../support/client-at-door.ts";
import { FakeChannel } from "../../support/fake-channel.ts";
import { hex, toHex } from "../../support/hex.ts";

const greeting = hex("05 01 00");
const request = hex("05 01 00 03 0b 6578616d706c652e636f6d 01bb");
const bound = parseAddress("192.0.2.7", 4000);
/** The answers to greeting and request, the latter with `bound`. */
const welcome = "0500 05000001 c0000207 0fa0".replaceAll(" ", "");
const failure = (rep: number): string =>
  `0500 05${toHex(Uint8Array.of(rep))}0001 000000000000`.replaceAll(" ", "");
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

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

  it.each(["00", "04", "7f", "ef", "f2"])(
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
      new FakeChannel(greeting, hex("05 09 00 01 01020304 0050")),
    );
    expect(door.client).toMatchObject({ hasEnded: true, abortReason: undefined });
    door.client.farEnd();
    await door.served;
    expect(door.clock.timerCount).toBe(door.idleTimers);
  });

  it("ends within 10 s though the client neither closes nor falls silent", async () => {
    const door = await clientAtDoor(
      {},
      new FakeChannel(greeting, hex("05 09 00 01 01020304 0050")),
    );
    for (let seconds = 0; seconds < 10; seconds++) {
      door.client.arrive(bytes("more"));
      await door.clock.advance(1000);
    }
    expect(door.isServed()).toBe(true);
    expect(door.client.abortReason).toBeDefined();
  });
});

function isOpen(frame: Frame): boolean {
  return frame.type === FrameType.Open;
}

describe("FrontDoor.serve() on more handshakes than there may be", () => {
  it("ends the oldest, counts it, and serves the newest", async () => {
    const gate = new Gate({ ...openGate, maxHandshakes: 2 });
    const silent = await clientAtDoor({ gate });
    const others = [await clientAtDoor({ gate }), await clientAtDoor({ gate })];
    await silent.served;
    expect(silent.client.abortReason).toMatchObject({ code: "ERR_HANDSHAKE_CROWDED" });
    const crowded = 'edgesocks_clients_failed_total{code="ERR_HANDSHAKE_CROWDED"}';
    expect(await silent.metric(crowded)).toBe(1);
    expect(silent.log.lines).toEqual([expect.stringContaining("too many others")]);
    const { stream } = await clientAtDoor({ gate }, new FakeChannel(greeting, request));
    expect(await stream()).toMatchObject({ command: 1 });
    expect(others.map(({ isServed }) => isServed())).toEqual([true, false]);
  });
});

describe("FrontDoor.serve() on a user id", () => {
  it.each([
    ["an id", "ann", { user: "ann" }],
    ["what may be a password, not at all", "ann:secret", { user: "ann" }],
  ])("logs %s, for who looks for it", async (_what, id, fields) => {
    const client = new FakeChannel(hex(`04 01 01bb 01020304 ${toHex(bytes(id))} 00`));
    const { log } = await clientAtDoor({}, client);
    expect(log.lines).toEqual([`debug A user came ${JSON.stringify(fields)}`]);
  });
});

describe("FrontDoor.serve() on a client that is not let in", () => {
  it("asks no password of one that the list refuses: it would tell whether that is right", async () => {
    const users: Users = {
      isRequired: true,
      verify: () => Promise.reject(new Error("The password was looked at")),
    };
    const gate = closed("10.0.0.0/8");
    const input = hex("05 01 02  01 03 616e6e 01 78  05 01 00 01 01020304 0050");
    const { client } = await clientAtDoor({ gate, users }, new FakeChannel(input));
    expect(toHex(client.written)).toBe("0502010005020001000000000000");
  });

  const closed = (allow: string): Gate =>
    new Gate({ ...openGate, allow: [ipaddr.parseCIDR(allow)], maxClients: 0 });

  it.each([
    [
      "SOCKS5, by rule",
      "10.0.0.0/8",
      hex("05 01 00 05 01 00 01 01020304 0050"),
      "050005020001000000000000",
    ],
    [
      "SOCKS5, as one too many",
      "127.0.0.0/8",
      hex("05 01 00 05 01 00 01 01020304 0050"),
      "050005010001000000000000",
    ],
    ["SOCKS4", "10.0.0.0/8", hex("04 01 0050 01020304 00"), "005b000000000000"],
  ])("answers %s, and asks no edge", async (_what, allow, input, told) => {
    const door = await clientAtDoor({ gate: closed(allow) }, new FakeChannel(input));
    expect(toHex(door.client.written)).toBe(told);
    expect(door.client.hasEnded).toBe(true);
    expect(door.agent.streamCount).toBe(0);
  });
});
