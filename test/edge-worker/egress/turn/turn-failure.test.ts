import { describe, expect, it } from "vitest";
import { turnFailure } from "../../../../edge-worker/egress/turn/turn-failure.ts";

describe("turnFailure()", () => {
  it.each([
    [401, "general"],
    [403, "denied"],
    [440, "address-unsupported"],
    [442, "command-unsupported"],
    [486, "quota-exceeded"],
    [500, "general"],
    [0, "general"],
  ])("says what %i means", (code, reason) => {
    const error = turnFailure("relay", code);
    expect(error.reason).toBe(reason);
    expect(error.message).toMatch(/^Cannot relay at the TURN server: [^.]+$/);
  });
});
