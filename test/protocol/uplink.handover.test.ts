import { describe, expect, it } from "vitest";
import { parseAddress } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";
import type { Hello } from "../../protocol/hello.ts";
import type { Stream } from "../../protocol/stream.ts";
import { Command } from "../../protocol/wire.ts";
import { startUplink } from "../support/running-uplink.ts";
import { fateOf } from "../support/stream-bytes.ts";

const target = parseAddress("example.com", 443);

/** An uplink to an edge whose carriers have so little to give. */
async function running(budget: Pick<Partial<Hello>, "maxOpens" | "maxAge" | "maxBytes">) {
  const parts = startUplink("answers");
  Object.assign(parts.edge.hello, budget);
  await parts.clock.run();
  const open = async (): Promise<Stream> => {
    // At once when there is a session, as the gateway does it.
    const opening = parts.uplink
      .session()
      .then((session) => session.open(Command.Connect, target, new Uint8Array()));
    await parts.clock.run();
    return (await opening).stream;
  };
  return { ...parts, open };
}

const leave = (stream: Stream): void =>
  stream.abort(new StreamError("cancelled", "The client left"));

describe("Uplink, whose carrier has opens to give", () => {
  it("dials the next one at 80 %, and opens there from then on", async () => {
    const { edge, open } = await running({ maxOpens: 5 });
    for (let i = 0; i < 4; i++) await open();
    expect(edge.dialledAt).toHaveLength(1);
    await open();
    await open();
    expect(edge.dialledAt).toHaveLength(2);
    expect(edge.sessions.map(({ streamCount }) => streamCount)).toEqual([5, 1]);
  });

  it("lets the old streams end in their time, and the old carrier with the last", async () => {
    const { clock, edge, open } = await running({ maxOpens: 2 });
    const old = [await open(), await open()];
    await open();
    const atEdge = edge.incoming[0]?.stream;
    void atEdge?.write(Uint8Array.of(7));
    await clock.advance(60_000);
    expect(await old[0]?.read()).toEqual(Uint8Array.of(7));
    expect(edge.sessions[0]?.linkCount).toBe(1);
    for (const stream of old) leave(stream);
    await clock.run();
    expect(edge.sessions.map(({ linkCount }) => linkCount)).toEqual([0, 1]);
  });

  it("never opens more than there are, and waits for the next carrier instead", async () => {
    const { clock, edge, uplink, open } = await running({ maxOpens: 2 });
    await open();
    edge.mood = "is out of reach";
    await open();
    const waiting = fateOf(uplink.session());
    await clock.advance(100);
    expect(waiting.now).toBe("pending");
    edge.mood = "answers";
    await clock.advance(5000);
    expect(waiting.now).toMatchObject({ isOpen: true, openedCount: 0 });
    expect(edge.sessions.map(({ streamCount }) => streamCount)).toEqual([2, 0]);
  });

  it("goes on with what there is while the next cannot be had", async () => {
    const { clock, edge, open, uplink } = await running({ maxOpens: 10 });
    for (let i = 0; i < 8; i++) leave(await open());
    edge.mood = "is out of reach";
    const session = await uplink.session();
    await clock.advance(1000);
    expect(await uplink.session()).toBe(session);
  });

  it("counts for ever where the edge has not said how many", async () => {
    const { edge, open } = await running({});
    for (let i = 0; i < 200; i++) leave(await open());
    expect(edge.dialledAt).toHaveLength(1);
  });
});

describe("Uplink, whose carrier has bytes to give", () => {
  it("dials the next one at 80 % of them, before the next stream comes", async () => {
    const { clock, edge, open } = await running({ maxBytes: 2000 });
    const old = await open();
    void old.write(new Uint8Array(1000));
    await clock.advance(10_000);
    expect(edge.dialledAt).toEqual([0]);
    void edge.incoming[0]?.stream.write(new Uint8Array(600));
    await clock.advance(10_000);
    expect(edge.dialledAt).toHaveLength(2);
    await open();
    expect(edge.sessions.map(({ streamCount }) => streamCount)).toEqual([1, 1]);
    // The old one goes on, beyond what was announced.
    void edge.incoming[0]?.stream.write(new Uint8Array(400));
    await clock.run();
    expect(edge.sessions[0]?.linkCount).toBe(1);
  });
});

describe("Uplink, whose carrier has an age", () => {
  it("dials the next one at 80 % of it, again and again, and leaves no timer", async () => {
    const { clock, edge, uplink, open } = await running({ maxAge: 100_000 });
    const old = await open();
    await clock.advance(79_999);
    expect(edge.dialledAt).toEqual([0]);
    await clock.advance(1);
    expect(edge.dialledAt).toEqual([0, 80_000]);
    await open();
    expect(edge.sessions.map(({ streamCount }) => streamCount)).toEqual([1, 1]);
    leave(old);
    await clock.advance(80_000);
    expect(edge.dialledAt).toEqual([0, 80_000, 160_000]);
    expect(edge.sessions[0]?.linkCount).toBe(0);
    uplink.stop();
    await clock.run();
    for (const session of edge.sessions) session.close("over");
    await clock.run();
    expect(clock.timerCount).toBe(0);
  });
});
