import { describe, expect, it } from "vitest";
import {
  largestTurn,
  MESSAGE_BYTES,
  MessageMemory,
  SOLE_MESSAGE_BYTES,
  TURN_BYTES,
} from "../../protocol/message-memory.ts";
import { HEADER_LENGTH, MAX_MESSAGE, MAX_PAYLOAD } from "../../protocol/wire.ts";

describe.each([MESSAGE_BYTES, SOLE_MESSAGE_BYTES])("MessageMemory, for %i bytes", (most) => {
  it("has room for a message that was nearly full when its last turn came", () => {
    const { byteLength } = new MessageMemory().take(most);
    expect(byteLength).toBeGreaterThanOrEqual(most - 1 + HEADER_LENGTH + TURN_BYTES);
    expect(byteLength).toBeLessThan(MAX_MESSAGE);
    expect(TURN_BYTES).toBeLessThanOrEqual(MAX_PAYLOAD);
  });

  it("gives out again what was given back, to whoever wants as much", () => {
    const memory = new MessageMemory();
    const first = memory.take(most);
    memory.giveBack(first);
    expect(memory.take(most === MESSAGE_BYTES ? SOLE_MESSAGE_BYTES : MESSAGE_BYTES)).not.toBe(
      first,
    );
    expect(memory.take(most)).toBe(first);
  });
});

describe.each([MESSAGE_BYTES, 200_001, SOLE_MESSAGE_BYTES])(
  "largestTurn(), of %i bytes",
  (most) => {
    it.each([0, 20, TURN_BYTES, TURN_BYTES + 1, most - 1])(
      "fits behind %i bytes, and is a turn at least",
      (length) => {
        const turn = largestTurn(length, most);
        const room = most <= MESSAGE_BYTES ? MESSAGE_BYTES : SOLE_MESSAGE_BYTES;
        expect(length + turn).toBeLessThanOrEqual(room + TURN_BYTES);
        expect(turn).toBeGreaterThanOrEqual(TURN_BYTES);
        expect(turn).toBeLessThanOrEqual(MAX_PAYLOAD);
      },
    );

    it("takes a whole read though an ACK stands in front of it", () => {
      expect(largestTurn(20, most)).toBe(Math.min(most, MAX_PAYLOAD));
    });
  },
);
