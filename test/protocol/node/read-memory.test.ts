import { describe, expect, it } from "vitest";
import { HUGE_BYTES, LARGE_BYTES } from "../../../protocol/busy-memory.ts";
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

  it("gives a room to whoever fills the shared one, and takes it from who is calm again", () => {
    const memory = new ReadMemory();
    const large = memory.large();
    expect(large.length).toBe(LARGE_BYTES);
    expect(memory.roomAfter(large, LARGE_BYTES / 2)).toBe(large);
    expect(memory.roomAfter(large, LARGE_BYTES / 2 - 1)).toBeUndefined();
    memory.release(large);
    expect(memory.large().buffer).toBe(large.buffer);
  });

  it("gives a huge room to whoever fills a large one, as long as it is used", () => {
    const memory = new ReadMemory();
    const large = memory.large();
    const huge = memory.roomAfter(large, LARGE_BYTES);
    expect(huge?.length).toBe(HUGE_BYTES);
    memory.release(large);
    if (!huge) return;
    expect(memory.roomAfter(huge, HUGE_BYTES)).toBe(huge);
    expect(memory.roomAfter(huge, LARGE_BYTES + 1)).toBe(huge);
    expect(memory.roomAfter(huge, LARGE_BYTES)?.length).toBe(LARGE_BYTES);
  });

  it("gives no huge room, and takes it back, while more than two are busy", () => {
    const memory = new ReadMemory();
    const large = memory.large();
    const huge = memory.roomAfter(large, LARGE_BYTES);
    const third = memory.large();
    expect(memory.roomAfter(large, LARGE_BYTES)).toBe(large);
    expect(huge && memory.roomAfter(huge, HUGE_BYTES)?.length).toBe(LARGE_BYTES);
    for (const room of [third, large]) memory.abandon(room);
    expect(huge && memory.roomAfter(huge, HUGE_BYTES)).toBe(huge);
  });
});
