import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientAtDoor } from "../../support/client-at-door.ts";
import { FakeChannel } from "../../support/fake-channel.ts";
import { cutAt } from "../../support/handshake-outcome.ts";
import { hex } from "../../support/hex.ts";

const greeting = hex("05 01 00");
const request = hex("05 01 00 03 0b 6578616d706c652e636f6d 01bb");

describe("FrontDoor.serve() on a handshake that fails", () => {
  it.each([
    ["03", "the first byte is 3"],
    ["16 03 01", "the first byte is 22"],
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
    const { client } = await clientAtDoor({}, new FakeChannel(hex("16 03 01 02 00 01 00")));
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

  it("gives SOCKS4 10 s for its request, whose NUL may never come", async () => {
    const client = new FakeChannel(hex("04 01 0050 01020304 61626364"));
    const door = await clientAtDoor({ handshakeTimeoutMs: 30_000 }, client);
    await door.clock.advance(9999);
    expect(door.client.abortReason).toBeUndefined();
    await door.clock.advance(1);
    expect(door.client.abortReason).toMatchObject({ code: "ERR_HANDSHAKE_TIMEOUT" });
    await door.served;
    expect(door.clock.timerCount).toBe(door.idleTimers);
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
