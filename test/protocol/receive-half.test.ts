import { describe, expect, it } from "vitest";
import { ReceiveWindow } from "../../protocol/credit.ts";
import { PayloadMemory } from "../../protocol/payload-memory.ts";
import { ReceiveHalf } from "../../protocol/receive-half.ts";
import { hex } from "../support/hex.ts";
import { fateOf } from "../support/stream-bytes.ts";

const code = (expected: string): unknown =>
  expect.objectContaining({ name: "ProtocolError", code: expected });

/** A half, and the sum of what it has given back to the session. */
function half(windowBytes = 10): { half: ReceiveHalf; returned: () => number } {
  let sum = 0;
  return {
    half: new ReceiveHalf(
      new ReceiveWindow(windowBytes),
      new PayloadMemory(),
      (bytes) => (sum += bytes),
    ),
    returned: () => sum,
  };
}

describe("ReceiveHalf", () => {
  it("joins small payloads once many wait, and gives back the same bytes", async () => {
    const half = new ReceiveHalf(new ReceiveWindow(10_000), new PayloadMemory(), () => {});
    const sent = Array.from({ length: 5000 }, (_, i) => i % 251);
    for (const byte of sent) half.arrive(Uint8Array.of(byte));
    const chunks: Uint8Array[] = [];
    for (let left = sent.length; left > 0; left -= chunks.at(-1)?.length ?? left) {
      chunks.push((await half.read()) ?? new Uint8Array());
    }
    expect(chunks.flatMap((chunk) => [...chunk])).toEqual(sent);
    expect(chunks.length).toBeLessThan(20);
  });

  it("never writes into a joined chunk that its reader has", async () => {
    const half = new ReceiveHalf(new ReceiveWindow(10_000), new PayloadMemory(), () => {});
    for (let i = 0; i < 17; i++) half.arrive(Uint8Array.of(1));
    for (let i = 0; i < 16; i++) await half.read();
    const lent = await half.read();
    for (let i = 0; i < 20; i++) half.arrive(Uint8Array.of(2));
    expect(lent).toEqual(Uint8Array.of(1));
  });

  it("gives chunks in order, to readers that waited and to those that come later", async () => {
    const { half: receiving } = half();
    const first = receiving.read();
    receiving.arrive(hex("01"));
    receiving.arrive(hex("02"));
    receiving.arrive(hex("0304"));
    expect(await first).toEqual(hex("01"));
    expect([await receiving.read(), await receiving.read()]).toEqual([hex("02"), hex("0304")]);
  });

  it("passes over DATA of no bytes: a chunk is never empty", async () => {
    const { half: receiving } = half();
    const fate = fateOf(receiving.read());
    receiving.arrive(hex(""));
    receiving.arrive(hex("01"));
    await Promise.resolve();
    expect(fate.now).toEqual(hex("01"));
  });

  it("gives null after FIN, again and again, once the bytes before it are read", async () => {
    const { half: receiving } = half();
    receiving.arrive(hex("0102"));
    receiving.end(2);
    expect(await receiving.read()).toEqual(hex("0102"));
    expect([await receiving.read(), await receiving.read()]).toEqual([null, null]);
    expect(receiving.isDone).toBe(true);
  });

  it("wakes a waiting reader with FIN", async () => {
    const { half: receiving } = half();
    const waiting = receiving.read();
    receiving.end(0);
    expect(await waiting).toBeNull();
  });

  it("refuses DATA and FIN after FIN [M-45] [M-47]", () => {
    const { half: receiving } = half();
    receiving.end(0);
    expect(() => receiving.arrive(hex("01"))).toThrow(code("ERR_DATA_AFTER_FIN"));
    expect(() => receiving.arrive(hex(""))).toThrow(code("ERR_DATA_AFTER_FIN"));
    expect(() => receiving.end(0)).toThrow(code("ERR_DATA_AFTER_FIN"));
  });

  it("refuses FIN at any offset but that of the bytes received [M-46]", () => {
    const { half: receiving } = half();
    receiving.arrive(hex("0102"));
    for (const offset of [0, 1, 3])
      expect(() => receiving.end(offset)).toThrow(code("ERR_FIN_OFFSET"));
    expect(() => receiving.end(2)).not.toThrow();
  });

  it("gives the session credit of a chunk back when the next is asked for, not before", async () => {
    const { half: receiving, returned } = half();
    receiving.arrive(hex("0102"));
    receiving.arrive(hex("03"));
    await receiving.read();
    expect(returned()).toBe(0);
    await receiving.read();
    expect(returned()).toBe(2);
    void receiving.read();
    expect(returned()).toBe(3);
  });

  it("owes CREDIT for what has been read, until FIN", async () => {
    const { half: receiving } = half(4);
    receiving.arrive(hex("0102"));
    receiving.arrive(hex("03"));
    await receiving.read();
    expect(receiving.isGrantDue).toBe(false);
    await receiving.read();
    expect(receiving.isGrantDue).toBe(true);
    expect(receiving.grant()).toEqual({ received: 3, limit: 6 });
    receiving.end(3);
    void receiving.read();
    expect(receiving.isGrantDue).toBe(false);
  });

  it("drops what is unread when it fails, and gives all of it back at once [M-48]", async () => {
    const { half: receiving, returned } = half();
    for (const chunk of ["0102", "03", "040506"]) receiving.arrive(hex(chunk));
    await receiving.read();
    receiving.fail(new Error("gone"));
    receiving.fail(new Error("again"));
    expect(returned()).toBe(6);
    await expect(receiving.read()).rejects.toThrow("gone");
    expect([receiving.isDone, receiving.isGrantDue]).toEqual([true, false]);
  });

  it("gives back what is unread when it fails after FIN", () => {
    const { half: receiving, returned } = half();
    receiving.arrive(hex("0102"));
    receiving.end(2);
    receiving.fail(new Error("gone"));
    expect(returned()).toBe(2);
  });

  it("rejects a waiting reader when it fails", async () => {
    const { half: receiving } = half();
    const waiting = receiving.read();
    receiving.fail(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
  });

  it.each([1, 600, 20_000, 65_536, 100_000])(
    "keeps a payload of %i bytes when its message is overwritten",
    async (length) => {
      const { half: receiving } = half(1_000_000);
      const message = new Uint8Array(length);
      const waiting = receiving.read();
      for (const value of [1, 2, 3]) {
        receiving.arrive(message.fill(value));
        message.fill(0xff);
      }
      for (const value of [1, 2, 3]) {
        const chunk = value === 1 ? await waiting : await receiving.read();
        expect(chunk?.length).toBe(length);
        expect(chunk?.every((byte) => byte === value)).toBe(true);
      }
    },
  );

  it("uses the memory of a chunk again once the next is asked for, not before", async () => {
    const { half: receiving } = half(1_000_000);
    const payload = new Uint8Array(65_536);
    receiving.arrive(payload.fill(1));
    const first = await receiving.read();
    receiving.arrive(payload.fill(2));
    expect(first?.at(-1)).toBe(1);
    const second = await receiving.read();
    receiving.arrive(payload.fill(3));
    expect(second?.at(-1)).toBe(2);
    expect((await receiving.read())?.buffer).toBe(first?.buffer);
  });

  it("leaves alone what its reader may still be writing when it fails", async () => {
    const memory = new PayloadMemory();
    const receiving = new ReceiveHalf(new ReceiveWindow(1_000_000), memory, () => {});
    receiving.arrive(new Uint8Array(65_536).fill(1));
    const lent = await receiving.read();
    receiving.fail(new Error("gone"));
    memory.keep(new Uint8Array(65_536).fill(2));
    expect(lent?.at(-1)).toBe(1);
  });
});
