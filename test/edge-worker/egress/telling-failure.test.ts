import { describe, expect, it } from "vitest";
import { tellingFailure } from "../../../edge-worker/egress/telling-failure.ts";
import { StreamError } from "../../../protocol/errors.ts";

const failed = (reason: StreamError["reason"]): StreamError => new StreamError(reason, reason);

describe("tellingFailure()", () => {
  it.each([
    ["connection-refused", "network-unreachable"],
    ["connection-refused", "timed-out"],
    ["connection-refused", "denied"],
    ["timed-out", "host-unreachable"],
    ["denied", "network-unreachable"],
    ["denied", "name-not-found"],
    ["host-unreachable", "network-unreachable"],
    ["host-unreachable", "name-not-found"],
    ["network-unreachable", "name-not-found"],
  ] as const)("tells %s rather than %s", (more, less) => {
    const [told, other] = [failed(more), failed(less)];
    expect(tellingFailure([told, other])).toBe(told);
    expect(tellingFailure([other, told])).toBe(told);
  });

  it("tells the first of equals", () => {
    const [first, second] = [failed("timed-out"), failed("timed-out")];
    expect(tellingFailure([first, second])).toBe(first);
  });

  it("tells something unexpected when there is nothing else", () => {
    const bug = new TypeError("a bug");
    expect(tellingFailure([bug])).toBe(bug);
    expect(tellingFailure([bug, failed("name-not-found")])).toMatchObject({
      reason: "name-not-found",
    });
  });

  it("tells that there is no address when nothing failed", () => {
    expect(tellingFailure([])).toMatchObject({ name: "StreamError", reason: "name-not-found" });
  });
});
