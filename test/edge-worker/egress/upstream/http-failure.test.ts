import { describe, expect, it } from "vitest";
import { failureOfAnswer } from "../../../../edge-worker/egress/upstream/http-failure.ts";

const reasonOf = (status: number, proxyStatus?: string) =>
  failureOfAnswer(status, new Map(proxyStatus === undefined ? [] : [["proxy-status", proxyStatus]]))
    .reason;

describe("failureOfAnswer()", () => {
  it.each([
    [400, "general"],
    [401, "edge-unavailable"],
    [403, "denied"],
    [404, "general"],
    [405, "command-unsupported"],
    [407, "edge-unavailable"],
    [429, "quota-exceeded"],
    [451, "denied"],
    [500, "general"],
    [501, "command-unsupported"],
    [502, "host-unreachable"],
    [503, "edge-unavailable"],
    [504, "timed-out"],
    [599, "general"],
  ])("reads status %i as %s", (status, reason) => expect(reasonOf(status)).toBe(reason));

  it.each([
    ["p; error=dns_timeout", "host-unreachable"],
    ["p; error=dns_error; rcode=NXDOMAIN", "name-not-found"],
    ["p;error=destination_not_found", "host-unreachable"],
    ["p; error=destination_unavailable", "host-unreachable"],
    ["p; error=destination_ip_prohibited", "denied"],
    ["p; error=destination_ip_unroutable", "network-unreachable"],
    ['p; details="; error=dns_error"; error=connection_refused', "connection-refused"],
    ["p; error=connection_timeout", "timed-out"],
    ["p; error=connection_limit_reached", "edge-unavailable"],
    ["p; error=http_request_denied", "denied"],
    ["far; error=connection_refused, near; error=connection_timeout", "timed-out"],
    ["p; error=something_new", "general"],
    ['p; details="error=connection_refused"', "general"],
    ["", "general"],
  ])("reads Proxy-Status %j as %s", (status, reason) => {
    expect(reasonOf(500, status)).toBe(reason);
  });

  it("takes a Proxy-Status of many quotes", () => {
    expect(reasonOf(500, '\\"'.repeat(100_000))).toBe("general");
  });

  it("tells that a password is wanted, and no more of it", () => {
    const { message } = failureOfAnswer(407, new Map());
    expect(message).toBe("Cannot connect: the upstream wants another user name and password");
  });
});
