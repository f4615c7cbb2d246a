import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Stopwatch } from "../../bench/stopwatch.ts";

describe("Stopwatch", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => void vi.useRealTimers());

  it("counts what is part of something else there alone, and adds up by name", async () => {
    const watch = new Stopwatch();
    await watch.time("turn", async () => {
      vi.advanceTimersByTime(1000);
      for (let i = 0; i < 2; i++) {
        await watch.time("download", async () => void vi.advanceTimersByTime(3000));
      }
      vi.advanceTimersByTime(500);
    });
    vi.advanceTimersByTime(9000);
    expect(String(watch)).toBe("download 6.0 s, turn 1.5 s");
  });

  it("counts what fails, and lets it fail", async () => {
    const watch = new Stopwatch();
    const failing = watch.time("ping", async () => {
      vi.advanceTimersByTime(200);
      throw new Error("no answer");
    });
    await expect(failing).rejects.toThrow("no answer");
    expect(String(watch)).toBe("ping 0.2 s");
  });
});
