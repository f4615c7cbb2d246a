import type { NetworkInterfaceInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { hasIpv6 } from "../../../edge-worker/node/has-ipv6.ts";

/** A machine whose only interface has these addresses. */
const machine = (...addresses: readonly string[]) => ({
  eth0: addresses.map(
    (address) =>
      ({
        address,
        family: address.includes(":") ? "IPv6" : "IPv4",
        internal: address === "::1" || address.startsWith("127."),
      }) as NetworkInterfaceInfo,
  ),
});

describe("hasIpv6()", () => {
  it.each([
    ["a global address", ["192.0.2.1", "2001:db8::1"], true],
    ["a unique-local address", ["fd00::1"], true],
    ["loopback", ["127.0.0.1", "::1"], false],
    ["link-local addresses", ["fe80::1", "febf::1"], false],
    ["IPv4 alone", ["192.0.2.1"], false],
    ["nothing", [], false],
  ])("knows a machine with %s", (_what, addresses, expected) => {
    expect(hasIpv6(() => machine(...addresses))).toBe(expected);
  });

  it("looks at this machine by itself", () => expect(typeof hasIpv6()).toBe("boolean"));
});
