import { describe, expect, it } from "vitest";
import { Arrivals } from "../../protocol/arrivals.ts";

describe("Arrivals", () => {
  it("owes an ACK for half a window of payload [M-60]", () => {
    const arrivals = new Arrivals(1000);
    arrivals.payload(499);
    expect([arrivals.isAckDue, arrivals.hasNews]).toEqual([false, true]);
    arrivals.payload(1);
    expect(arrivals.isAckDue).toBe(true);
    expect(arrivals.ack()).toEqual({ received: 500, frames: 0 });
    expect([arrivals.isAckDue, arrivals.hasNews]).toEqual([false, false]);
  });

  it("owes an ACK for 192 KiB, however large the window [M-60]", () => {
    const arrivals = new Arrivals(16_777_216);
    arrivals.payload(196_607);
    expect(arrivals.isAckDue).toBe(false);
    arrivals.payload(1);
    expect([arrivals.isAckDue, arrivals.ack()]).toEqual([true, { received: 196_608, frames: 0 }]);
    expect(arrivals.isAckDue).toBe(false);
  });

  it("owes an ACK for 256 frames, however small [M-60]", () => {
    const arrivals = new Arrivals(1000);
    for (let count = 0; count < 255; count++) arrivals.frame();
    expect([arrivals.isAckDue, arrivals.hasNews]).toEqual([false, true]);
    arrivals.frame();
    expect(arrivals.isAckDue).toBe(true);
    expect(arrivals.ack()).toEqual({ received: 0, frames: 256 });
    expect([arrivals.isAckDue, arrivals.hasNews, arrivals.frames]).toEqual([false, false, 256]);
  });

  it("refuses payload beyond the window [M-55]", () => {
    const arrivals = new Arrivals(1000);
    expect(() => arrivals.payload(1001)).toThrow(
      expect.objectContaining({ code: "ERR_CREDIT_EXCEEDED" }),
    );
  });
});
