import { describe, expect, it } from "vitest";
import { roomToKeep } from "../../protocol/retention.ts";

const limits = { retainedLimit: 32_000, maxCarriers: 4 };

describe("roomToKeep()", () => {
  it("is without bound where nothing is kept", () => {
    expect(roomToKeep({ retainedLimit: 0, retained: 0, maxCarriers: 1 }, 5)).toBe(Infinity);
  });

  it("lets a carrier that is alone in being busy have half of all", () => {
    expect(roomToKeep({ ...limits, retained: 0 }, 0)).toBe(16_000);
    expect(roomToKeep({ ...limits, retained: 15_000 }, 14_000)).toBe(1000);
  });

  it("lets each carrier have its part, however much the others have", () => {
    expect(roomToKeep({ ...limits, retained: 16_000 }, 0)).toBe(2000);
    expect(roomToKeep({ ...limits, retained: 20_000 }, 2000)).toBe(0);
    expect(roomToKeep({ ...limits, retained: 20_000 }, 3000)).toBeLessThan(0);
  });

  it("never lets all carriers together have more than three quarters", () => {
    const inFlight = [0, 0, 0, 0];
    const sum = (): number => inFlight.reduce((total, bytes) => total + bytes, 0);
    for (let turn = 0; turn < 8; turn++) {
      const at = turn % 4;
      const room = roomToKeep({ ...limits, retained: sum() }, inFlight[at] ?? 0);
      inFlight[at] = (inFlight[at] ?? 0) + Math.max(0, room);
    }
    expect(sum()).toBe(16_000 + 3 * 2000);
  });
});
