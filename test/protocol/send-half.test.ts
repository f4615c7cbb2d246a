import { describe, expect, it } from "vitest";
import { SendHalf } from "../../protocol/send-half.ts";
import { hex, toHex } from "../support/hex.ts";
import { fateOf } from "../support/stream-bytes.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("SendHalf", () => {
  it("offers what is waiting, as far as credit goes", () => {
    const half = new SendHalf(3);
    expect(half.sendable).toBe(0);
    void half.write(hex("0102030405"));
    expect(half.sendable).toBe(3);
    expect(toHex(half.take(2))).toBe("0102");
    expect([half.offset, half.sendable]).toEqual([2, 1]);
    half.raise(10);
    expect(half.sendable).toBe(3);
  });

  it("resolves a write once its last byte has been taken", async () => {
    const half = new SendHalf(10);
    const fate = fateOf(half.write(hex("010203")));
    half.take(2);
    await turn();
    expect(fate.now).toBe("pending");
    half.take(1);
    await turn();
    expect(fate.now).toBeUndefined();
  });

  it("resolves an empty write at once and offers nothing", async () => {
    const half = new SendHalf(10);
    await half.write(hex(""));
    expect([half.sendable, half.take(5)]).toEqual([0, hex("")]);
  });

  it("refuses a second write while one is pending, and goes on with the first", async () => {
    const half = new SendHalf(10);
    void half.write(hex("01"));
    await expect(half.write(hex("02"))).rejects.toMatchObject({ code: "ERR_WRITE_AFTER_END" });
    expect(toHex(half.take(9))).toBe("01");
  });

  it("ends once, and refuses writes from then on", async () => {
    const half = new SendHalf(10);
    expect([half.end(), half.end(), half.isDone]).toEqual([true, false, true]);
    await expect(half.write(hex("01"))).rejects.toMatchObject({ code: "ERR_WRITE_AFTER_END" });
  });

  it("fails the write that is pending and all that come, with the first reason", async () => {
    const half = new SendHalf(0);
    const pending = half.write(hex("01"));
    half.fail(new Error("first"));
    half.fail(new Error("second"));
    await expect(pending).rejects.toThrow("first");
    await expect(half.write(hex("01"))).rejects.toThrow("first");
    expect([half.sendable, half.isDone, half.end()]).toEqual([0, true, false]);
  });

  it("counts early bytes as sent [M-39]", () => {
    const half = new SendHalf(10);
    half.countEarly(4);
    void half.write(new Uint8Array(20));
    expect([half.offset, half.sendable]).toEqual([4, 6]);
  });
});
