import { describe, expect, it } from "vitest";
import { isLoopback } from "../../cli/loopback.ts";

describe("isLoopback()", () => {
  it.each([
    "localhost",
    "127.0.0.1",
    "127.255.255.254",
    "127.1",
    "::1",
    "::ffff:127.0.0.1",
    "0:0::1",
  ])("knows %s", (host) => expect(isLoopback(host)).toBe(true));

  it.each([
    ["any address", "0.0.0.0", "::", "0"],
    ["another address", "192.168.0.1", "10.0.0.1", "8.8.8.8", "fe80::1", "::ffff:10.0.0.1"],
    ["a name", "example.com", "localhost.example.com", "mylocalhost", "my-machine", ""],
  ])("takes %s for reachable by others", (_what, ...hosts) => {
    for (const host of hosts) expect(isLoopback(host), host).toBe(false);
  });
});
