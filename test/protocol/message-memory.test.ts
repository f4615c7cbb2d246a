import { describe, expect, it } from "vitest";
import {
  largestTurn,
  MESSAGE_BYTES,
  messageBytes,
  MessageMemory,
  OVER_BYTES,
  SHARED_MESSAGE_BYTES,
  SOLE_MESSAGE_BYTES,
  TURN_BYTES,
} from "../../protocol/message-memory.ts";
import { HEADER_LENGTH, MAX_MESSAGE, MAX_PAYLOAD } from "../../protocol/wire.ts";

const SIZES = [MESSAGE_BYTES, SHARED_MESSAGE_BYTES, SOLE_MESSAGE_BYTES];

describe("messageBytes()", () => {
  it.each([
    [0, false, MESSAGE_BYTES],
    [25_000, true, MESSAGE_BYTES],
    [200_000.7, false, 200_000],
    [800_000, false, SHARED_MESSAGE_BYTES],
    [400_000.2, true, 400_000],
    [800_000, true, SOLE_MESSAGE_BYTES],
  ])("for %d bytes a millisecond, alone: %s, is %i", (rate, isSole, bytes) => {
    expect(messageBytes(rate, isSole)).toBe(bytes);
  });
});

describe("MessageMemory", () => {
  it.each([1, ...SIZES, SOLE_MESSAGE_BYTES + 1])(
    "has room for %i bytes, and what comes to a message that was just below",
    (bytes) => {
      const { byteLength } = new MessageMemory().take(bytes);
      expect(byteLength).toBeGreaterThanOrEqual(bytes + HEADER_LENGTH + TURN_BYTES + OVER_BYTES);
      expect(byteLength).toBeLessThan(MAX_MESSAGE);
    },
  );

  it.each(SIZES)("gives out memory for %i bytes again, and 2 MiB of it at most", (bytes) => {
    const memory = new MessageMemory();
    const first = Array.from({ length: 20 }, () => memory.take(bytes));
    for (const buffer of first) memory.giveBack(buffer);
    const others = SIZES.filter((size) => size !== bytes).map((size) => memory.take(size));
    const again = Array.from({ length: 20 }, () => memory.take(bytes));
    expect(again.filter((buffer) => first.includes(buffer)).length * bytes).toBe(2_097_152);
    expect(others.filter((buffer) => first.includes(buffer))).toEqual([]);
  });
});

describe.each([MESSAGE_BYTES, 200_001, SOLE_MESSAGE_BYTES])(
  "largestTurn(), of %i bytes",
  (most) => {
    it.each([0, 20, TURN_BYTES, TURN_BYTES + 1, most - 1])(
      "fits behind %i bytes, and is a turn at least",
      (length) => {
        const turn = largestTurn(length, most);
        expect(length + turn).toBeLessThanOrEqual(most + TURN_BYTES);
        expect(turn).toBeGreaterThanOrEqual(TURN_BYTES);
        expect(turn).toBeLessThanOrEqual(MAX_PAYLOAD);
      },
    );

    it("takes a whole read though an ACK stands in front of it", () => {
      expect(largestTurn(20, most)).toBe(Math.min(most, MAX_PAYLOAD));
    });
  },
);
