import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExactReader } from "../../protocol/exact-reader.ts";
import { FakeChannel } from "../support/fake-channel.ts";
import { hex } from "../support/hex.ts";

describe("ExactReader.exactly()", () => {
  it("puts a length together from several chunks", async () => {
    const reader = new ExactReader(new FakeChannel(hex("01"), hex("0203"), hex("04")));
    expect(await reader.exactly(4)).toEqual(hex("01 02 03 04"));
  });

  it("takes several lengths out of one chunk", async () => {
    const reader = new ExactReader(new FakeChannel(hex("01 02 03 04")));
    expect(await reader.exactly(1)).toEqual(hex("01"));
    expect(await reader.exactly(3)).toEqual(hex("02 03 04"));
  });

  it("reads nothing for a length that it has already", async () => {
    const reader = new ExactReader(new FakeChannel(hex("01 02")));
    await reader.exactly(1);
    expect(await reader.exactly(0)).toEqual(hex(""));
    expect(await reader.exactly(1)).toEqual(hex("02"));
  });

  it("rejects with ERR_HANDSHAKE_EOF when the far side leaves too early", async () => {
    const far = new FakeChannel(hex("01"));
    far.farEnd();
    const reader = new ExactReader(far);
    await expect(reader.exactly(2)).rejects.toMatchObject({ code: "ERR_HANDSHAKE_EOF" });
  });

  it("rejects with the channel's own error when the connection breaks", async () => {
    const far = new FakeChannel();
    const reading = new ExactReader(far).exactly(1);
    far.breakOff();
    await expect(reading).rejects.toMatchObject({ code: "connection-reset" });
  });
});

describe("ExactReader.peek()", () => {
  it("gives the next byte, and leaves it where it is", async () => {
    const reader = new ExactReader(new FakeChannel(hex("01 02"), hex("03")));
    expect(await reader.peek()).toBe(1);
    expect(await reader.peek()).toBe(1);
    expect(reader.rest).toEqual(hex("01 02"));
    expect(await reader.exactly(3)).toEqual(hex("01 02 03"));
  });
});

describe("ExactReader.rest", () => {
  it("holds what came behind the bytes asked for", async () => {
    const reader = new ExactReader(new FakeChannel(hex("01 02 03")));
    await reader.exactly(1);
    expect(reader.rest).toEqual(hex("02 03"));
  });

  it("is a copy: the channel may use a chunk's memory again", async () => {
    const far = new FakeChannel(hex("01 02 03"));
    const reader = new ExactReader(far);
    await reader.exactly(1);
    far.farEnd();
    await far.read();
    expect(reader.rest).toEqual(hex("02 03"));
  });
});

describe("ExactReader.through()", () => {
  const END = hex("0d0a0d0a");

  it("gives all up to a mark, and keeps the rest, however the bytes are cut", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.nat(16), { maxLength: 16 }), async (cuts) => {
        const text = hex("41 0d0a 42 0d 0d0a0d0a 43 0d0a0d0a");
        const bounds = [0, ...cuts.filter((cut) => cut < text.length), text.length];
        const sorted = bounds.toSorted((a, b) => a - b);
        const chunks = sorted.slice(1).map((end, i) => text.subarray(sorted[i], end));
        const far = new FakeChannel(...chunks.filter(({ length }) => length > 0));
        far.farEnd();
        const reader = new ExactReader(far);
        expect(await reader.through(END, 100)).toEqual(hex("41 0d0a 42 0d 0d0a0d0a"));
        expect(await reader.exactly(5)).toEqual(hex("43 0d0a0d0a"));
      }),
    ));

  it("takes a mark that ends right at the limit, and none behind it", async () => {
    const text = hex("41 42 0d0a0d0a");
    expect(await new ExactReader(new FakeChannel(text)).through(END, 6)).toEqual(text);
    const late = new ExactReader(new FakeChannel(text)).through(END, 5);
    await expect(late).rejects.toMatchObject({ code: "ERR_HANDSHAKE" });
  });

  it("reads no more than the limit and a chunk of what has no mark", async () => {
    const chunks = Array.from({ length: 100 }, () => hex("41 41 41 41"));
    const far = new FakeChannel(...chunks);
    const reader = new ExactReader(far);
    await expect(reader.through(END, 10)).rejects.toMatchObject({ code: "ERR_HANDSHAKE" });
    expect(reader.rest.length).toBeLessThanOrEqual(14);
  });

  it("rejects with ERR_HANDSHAKE_EOF when the far side leaves before the mark", async () => {
    const far = new FakeChannel(hex("41 0d0a0d"));
    far.farEnd();
    const reading = new ExactReader(far).through(END, 100);
    await expect(reading).rejects.toMatchObject({ code: "ERR_HANDSHAKE_EOF" });
  });
});
