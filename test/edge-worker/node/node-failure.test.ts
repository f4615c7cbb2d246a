import { describe, expect, it } from "vitest";
import { failureOf } from "../../../edge-worker/node/node-failure.ts";
import { StreamError } from "../../../protocol/errors.ts";

const errno = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });
const denied = new StreamError("denied", "Cannot connect: not that one");

describe("failureOf()", () => {
  it.each([
    ["ECONNREFUSED", "connection-refused"],
    ["EHOSTUNREACH", "host-unreachable"],
    ["EHOSTDOWN", "host-unreachable"],
    ["ENETUNREACH", "network-unreachable"],
    ["EADDRNOTAVAIL", "network-unreachable"],
    ["EAFNOSUPPORT", "network-unreachable"],
    ["ETIMEDOUT", "timed-out"],
    ["ENOTFOUND", "name-not-found"],
    ["ENODATA", "name-not-found"],
    ["EAI_AGAIN", "host-unreachable"],
    ["ECONNRESET", "connection-reset"],
    ["EMFILE", "general"],
  ])("takes %s for %s, and names what was tried", (code, reason) => {
    const cause = errno(code);
    const failure = failureOf("connect", cause);
    expect(failure).toBeInstanceOf(StreamError);
    expect(failure).toMatchObject({ reason, message: `Cannot connect: ${code}`, cause });
  });

  it("leaves a StreamError as it is", () => {
    expect(failureOf("connect", denied)).toBe(denied);
  });

  it.each([
    [new Error("out of luck"), "out of luck"],
    ["out of luck", "out of luck"],
  ])("tells in words what has no code: %s", (cause, why) => {
    expect(failureOf("resolve", cause)).toMatchObject({
      reason: "general",
      message: `Cannot resolve: ${why}`,
    });
  });
});
