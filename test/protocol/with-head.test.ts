import { describe, expect, it } from "vitest";
import { withHead } from "../../protocol/with-head.ts";
import { FakeChannel } from "../support/fake-channel.ts";
import { hex } from "../support/hex.ts";

describe("withHead()", () => {
  it("reads the head first, then what the channel has", async () => {
    const channel = new FakeChannel(hex("03"));
    channel.farEnd();
    const headed = withHead(hex("01 02"), channel);
    expect(await headed.read()).toEqual(hex("01 02"));
    expect(await headed.read()).toEqual(hex("03"));
    expect(await headed.read()).toBeNull();
  });

  it("gives a head that is still to come, and the end that it may be", async () => {
    const channel = new FakeChannel();
    const head = Promise.withResolvers<Uint8Array | null>();
    const reading = withHead(head.promise, channel).read();
    head.resolve(null);
    expect(await reading).toBeNull();
  });

  it("passes everything else on", async () => {
    const channel = new FakeChannel();
    const headed = withHead(hex("01"), channel);
    await headed.write(hex("0a"));
    await headed.end();
    const failures: unknown[] = [];
    headed.onceFailed((reason) => failures.push(reason));
    headed.abort("over");
    expect(channel.written).toEqual(hex("0a"));
    expect(channel.hasEnded).toBe(true);
    expect(failures).toEqual(["over"]);
  });
});
