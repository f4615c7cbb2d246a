import { describe, expect, it } from "vitest";
import type { FailureReason } from "../../protocol/errors.ts";
import { decodeReason, encodeReason, replyTo } from "../../protocol/failure.ts";
import { ReasonNumber } from "../../protocol/wire.ts";

const reasons = Object.keys(replyTo) as FailureReason[];

describe("encodeReason()", () => {
  it("gives every reason a number of its own, and decodeReason() the reason back", () => {
    expect(new Set(reasons.map(encodeReason)).size).toBe(reasons.length);
    expect(reasons.map(encodeReason).map(decodeReason)).toEqual(reasons);
    expect(reasons.toSorted()).toEqual(Object.keys(ReasonNumber).toSorted());
  });
});

describe("decodeReason()", () => {
  it("reads numbers of later versions as general [M-63]", () => {
    for (let number = reasons.length; number < 256; number++)
      expect(decodeReason(number)).toBe("general");
  });
});

describe("replyTo", () => {
  it("has only words that the client's protocol knows, and none that says yes", () => {
    for (const reason of reasons) {
      const { socks5, socks4, http } = replyTo[reason];
      expect(socks5, reason).toBeGreaterThanOrEqual(0x01);
      expect(socks5, reason).toBeLessThanOrEqual(0x08);
      expect(socks4, reason).toBe(91);
      expect(http, reason).toBeGreaterThanOrEqual(400);
      expect(http, reason).toBeLessThan(600);
    }
  });
});
