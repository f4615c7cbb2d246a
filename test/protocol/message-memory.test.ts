import { describe, expect, it } from "vitest";
import {
  largestTurn,
  MESSAGE_BYTES,
  MessageMemory,
  TURN_BYTES,
} from "../../protocol/message-memory.ts";
import { HEADER_LENGTH, MAX_MESSAGE, MAX_PAYLOAD } from "../../protocol/wire.ts";

describe("MessageMemory", () => {
  it("has room for a message that was nearly full when its last turn came", () => {
    const { byteLength } = new MessageMemory().take();
    expect(byteLength).toBeGreaterThanOrEqual(MESSAGE_BYTES - 1 + HEADER_LENGTH + TURN_BYTES);
    expect(byteLength).toBeLessThan(MAX_MESSAGE);
    expect(TURN_BYTES).toBeLessThanOrEqual(MAX_PAYLOAD);
  });

  it("gives out again what was given back, and nothing that is still in use", () => {
    const memory = new MessageMemory();
    const first = memory.take();
    expect(memory.take()).not.toBe(first);
    memory.giveBack(first);
    expect(memory.take()).toBe(first);
    expect(memory.take()).not.toBe(first);
  });

  it("keeps no buffer of another size, and not more than a few", () => {
    const memory = new MessageMemory();
    memory.giveBack(new ArrayBuffer(64));
    expect(memory.take().byteLength).toBeGreaterThan(64);
    const many = Array.from({ length: 20 }, () => memory.take());
    for (const buffer of many) memory.giveBack(buffer);
    const again = new Set(Array.from({ length: 20 }, () => memory.take()));
    expect(many.filter((buffer) => again.has(buffer)).length).toBeLessThan(20);
  });
});

describe("largestTurn()", () => {
  it.each([0, 20, TURN_BYTES, TURN_BYTES + 1, MESSAGE_BYTES - 1])(
    "fits behind %i bytes, and is a turn at least",
    (length) => {
      const turn = largestTurn(length);
      expect(length + HEADER_LENGTH + turn).toBeLessThanOrEqual(
        MESSAGE_BYTES + HEADER_LENGTH + TURN_BYTES,
      );
      expect(turn).toBeGreaterThanOrEqual(TURN_BYTES);
      expect(turn).toBeLessThanOrEqual(MAX_PAYLOAD);
    },
  );

  it("takes a whole read though an ACK stands in front of it", () => {
    expect(largestTurn(20)).toBe(MESSAGE_BYTES);
  });
});
