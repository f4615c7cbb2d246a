import { describe, expect, it } from "vitest";
import { parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { openPolicy, strictPolicy } from "../../support/policies.ts";

/** The reason a policy refuses a target for; undefined when it lets it through. */
function refusalOf(policy: typeof strictPolicy, host: string, port = 443): string | undefined {
  try {
    policy(parseAddress(host, port));
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(StreamError);
    expect(error).toMatchObject({ reason: "denied" });
    return String(error);
  }
}

describe("createPolicy()", () => {
  it.each(["8.8.8.8", "2606:4700:4700::1111", "example.com", "xn--bcher-kva.example"])(
    "lets %s through",
    (host) => {
      expect(refusalOf(strictPolicy, host)).toBeUndefined();
      expect(refusalOf(openPolicy, host)).toBeUndefined();
    },
  );

  it.each([
    ["127.0.0.1", "loopback"],
    ["169.254.169.254", "link-local"],
    ["10.1.2.3", "private-use"],
    ["::1", "loopback"],
    ["::ffff:10.0.0.1", "IPv4-mapped, carrying private-use"],
    ["fd00::1", "unique-local"],
  ])("denies %s by its range", (host, range) => {
    expect(refusalOf(strictPolicy, host)).toContain(`(${range})`);
  });

  it.each(["0x7f.1", "2130706433", "127.1", "017700000001", "[::1]", "localhost."])(
    "denies loopback in the disguise of %s",
    (host) => expect(refusalOf(strictPolicy, host)).toBeDefined(),
  );

  it.each(["localhost", "printer.local", "LOCALHOST"])("denies the local name %s", (host) => {
    expect(refusalOf(strictPolicy, host)).toContain("the name is local");
  });

  it.each(["127.0.0.1", "192.168.0.1", "fd00::1", "localhost", "printer.local"])(
    "lets %s through when private targets are allowed",
    (host) => expect(refusalOf(openPolicy, host)).toBeUndefined(),
  );

  it.each(["8.8.8.8", "example.com", "127.0.0.1", "::1"])("denies port 25 of %s always", (host) => {
    expect(refusalOf(strictPolicy, host, 25)).toContain("port 25");
    expect(refusalOf(openPolicy, host, 25)).toContain("port 25");
  });

  it("takes any other port", () => {
    for (const port of [0, 1, 24, 26, 465, 587, 65_535]) {
      expect(refusalOf(strictPolicy, "example.com", port), `port ${port}`).toBeUndefined();
    }
  });

  it("keeps the target out of its message", () => {
    expect(refusalOf(strictPolicy, "192.168.77.88")).not.toContain("192.168.77.88");
    expect(refusalOf(strictPolicy, "printer.local")).not.toContain("printer");
  });
});
