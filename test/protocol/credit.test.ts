import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReceiveWindow, SendWindow } from "../../protocol/credit.ts";
import { SEED } from "../support/arbitraries.ts";

describe("SendWindow", () => {
  it("offers what lies between its offset and its limit", () => {
    const window = new SendWindow(10);
    window.advance(4);
    expect([window.offset, window.available]).toEqual([4, 6]);
  });

  it("passes over a limit that is not above the known one [M-50]", () => {
    const window = new SendWindow(10);
    for (const limit of [15, 15, 12, 0]) window.raise(limit);
    expect(window.available).toBe(15);
  });
});

describe("ReceiveWindow", () => {
  it("takes bytes up to its limit and not one more [M-55]", () => {
    const window = new ReceiveWindow(10);
    window.arrive(10);
    window.arrive(0);
    const over = expect.objectContaining({ name: "ProtocolError", code: "ERR_CREDIT_EXCEEDED" });
    expect(() => window.arrive(1)).toThrow(over);
    expect(window.received).toBe(10);
  });

  it("owes a grant at half its window while all that comes is consumed [M-56]", () => {
    const window = new ReceiveWindow(10);
    const pass = (bytes: number): void => {
      window.arrive(bytes);
      window.consume(bytes);
    };
    pass(4);
    expect(window.isGrantDue).toBe(false);
    pass(1);
    expect(window.isGrantDue).toBe(true);
    expect(window.grant()).toEqual({ received: 5, limit: 15 });
    expect(window.isGrantDue).toBe(false);
  });

  it("owes it sooner when unread bytes leave the peer less than it could be granted [M-56]", () => {
    const window = new ReceiveWindow(10);
    window.arrive(9);
    expect(window.isGrantDue).toBe(false);
    window.consume(1);
    expect(window.isGrantDue).toBe(true);
    expect(window.grant()).toEqual({ received: 9, limit: 11 });
    window.arrive(1);
    expect(window.isGrantDue).toBe(false);
    window.consume(1);
    expect(window.isGrantDue).toBe(true);
  });

  it("owes nothing when it is of no size", () => {
    const window = new ReceiveWindow(0);
    expect(window.isGrantDue).toBe(false);
    window.arrive(0);
    expect(window.isGrantDue).toBe(false);
  });

  it("never holds more than its size and never stops a reader that reads on [M-56] [M-58]", () => {
    const step = fc.record({ send: fc.nat(50), read: fc.nat(50) });
    const property = fc.property(fc.integer({ min: 1, max: 60 }), fc.array(step), (size, steps) => {
      const sender = new SendWindow(size);
      const receiver = new ReceiveWindow(size);
      let held = 0;
      const read = (wanted: number): void => {
        const bytes = Math.min(wanted, held);
        receiver.consume(bytes);
        held -= bytes;
        if (receiver.isGrantDue) sender.raise(receiver.grant().limit);
      };
      for (const { send, read: wanted } of steps) {
        const bytes = Math.min(send, sender.available);
        sender.advance(bytes);
        receiver.arrive(bytes);
        held += bytes;
        expect(held + sender.available).toBeLessThanOrEqual(size);
        read(wanted);
      }
      read(held);
      expect(sender.available).toBeGreaterThan(0);
    });
    fc.assert(property, { ...SEED, numRuns: 500 });
  });
});
