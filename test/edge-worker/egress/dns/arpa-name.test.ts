import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arpaNameOf, hostOfArpaName } from "../../../../edge-worker/egress/dns/arpa-name.ts";
import { hostOfOctets, parseAddress } from "../../../../protocol/address.ts";
import { SEED } from "../../../support/arbitraries.ts";

describe("arpaNameOf()", () => {
  it.each([
    ["1.2.3.4", "4.3.2.1.in-addr.arpa"],
    // The example of RFC 3596 section 2.5.
    [
      "4321:0:1:2:3:4:567:89ab",
      "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa",
    ],
  ])("turns %s around", (host, arpa) => {
    expect(arpaNameOf(host)).toBe(arpa);
  });
});

describe("hostOfArpaName()", () => {
  it("is the inverse of arpaNameOf()", () => {
    const octets = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 }),
    );
    fc.assert(
      fc.property(octets, (bytes) => {
        const { host } = hostOfOctets(Uint8Array.from(bytes));
        expect(hostOfArpaName(arpaNameOf(host))).toBe(host);
      }),
      SEED,
    );
  });

  it("reads upper case, and a trailing dot", () => {
    expect(hostOfArpaName("4.3.2.1.IN-ADDR.ARPA.")).toBe("1.2.3.4");
  });

  it.each([
    "example.com",
    "",
    "in-addr.arpa",
    "3.2.1.in-addr.arpa",
    "5.4.3.2.1.in-addr.arpa",
    "256.3.2.1.in-addr.arpa",
    "x.3.2.1.in-addr.arpa",
    "4.3.2.1.ip6.arpa",
    `${"g.".repeat(32)}ip6.arpa`,
    `${"0.".repeat(31)}ip6.arpa`,
    `${"00.".repeat(32)}ip6.arpa`,
    `${"00.".repeat(15)}${".".repeat(17)}ip6.arpa`,
  ])("gives undefined for %j", (other) => {
    expect(hostOfArpaName(other)).toBeUndefined();
  });

  it("never throws, and what it gives is an address", () => {
    const label = fc.oneof(fc.stringMatching(/^[0-9a-f]{0,2}$/), fc.string({ maxLength: 3 }));
    const zone = fc.constantFrom("in-addr.arpa", "ip6.arpa", "arpa");
    fc.assert(
      fc.property(fc.array(label, { maxLength: 33 }), zone, (labels, end) => {
        const host = hostOfArpaName([...labels, end].join("."));
        if (host !== undefined) expect(parseAddress(host, 0).kind).not.toBe("name");
      }),
      SEED,
    );
  });
});
