import { describe, expect, it } from "vitest";
import { ReadMemory, SHARED_BYTES } from "../../../protocol/node/read-memory.ts";

describe("ReadMemory", () => {
  it("has one shared room, or none where nobody reads into it", () => {
    expect(new ReadMemory().shared.length).toBe(SHARED_BYTES);
    expect(new ReadMemory(0).shared.length).toBe(0);
  });

  it("copies what lies in the shared room, into memory that is used again", () => {
    const memory = new ReadMemory();
    memory.shared.fill(1);
    const first = memory.copy(memory.shared);
    memory.shared.fill(2);
    expect(first.every((byte) => byte === 1)).toBe(true);
    const second = memory.copy(memory.shared);
    expect(second.buffer).not.toBe(first.buffer);
    memory.releaseCopy(first);
    expect(memory.copy(memory.shared).buffer).toBe(first.buffer);
  });

  it("gives large rooms, each to one at a time, and keeps 16 of those that come back", () => {
    const memory = new ReadMemory();
    const rooms = Array.from({ length: 20 }, () => memory.large());
    expect(new Set(rooms.map(({ buffer }) => buffer)).size).toBe(20);
    for (const room of rooms) memory.releaseLarge(room);
    const again = new Set(Array.from({ length: 20 }, () => memory.large().buffer));
    expect(again.size).toBe(20);
    expect(rooms.filter(({ buffer }) => again.has(buffer)).length).toBe(16);
  });
});
