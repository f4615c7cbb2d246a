import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { embeddedIpv4s } from "../../../edge-worker/policy/embedded-ipv4.ts";
import { parseHost } from "../../../protocol/address.ts";
import { SEED } from "../../support/arbitraries.ts";

/** "form a.b.c.d" of all that an address carries. */
function carriedBy(text: string): string[] {
  const octets = ipaddr.parse(parseHost(text).host).toByteArray();
  return embeddedIpv4s(octets).map(({ form, octets: four }) => `${form} ${four.join(".")}`);
}

describe("embeddedIpv4s()", () => {
  it.each([
    ["::192.0.2.33", ["IPv4-compatible 192.0.2.33"]],
    ["::ffff:192.0.2.33", ["IPv4-mapped 192.0.2.33"]],
    ["::ffff:0:192.0.2.33", ["IPv4-translated 192.0.2.33"]],
    // RFC 6052 section 2.4.
    ["64:ff9b::192.0.2.33", ["NAT64 192.0.2.33"]],
    ["64:ff9b:1:c000:2:2100::", ["local NAT64 0.0.0.0", "local NAT64 192.0.2.33"]],
    ["2002:c000:221::1", ["6to4 192.0.2.33"]],
    // RFC 4380 section 4: the example of a client at 192.0.2.45.
    [
      "2001:0:4136:e378:8000:63bf:3fff:fdd2",
      ["Teredo server 65.54.227.120", "Teredo client 192.0.2.45"],
    ],
    ["2001:db8::5efe:192.0.2.33", ["ISATAP 192.0.2.33"]],
    ["fe80::200:5efe:192.0.2.33", ["ISATAP 192.0.2.33"]],
  ])("finds what %s carries", (address, expected) => {
    expect(carriedBy(address)).toEqual(expected);
  });

  it.each(["2001:db8::192.0.2.33", "::1:ffff:192.0.2.33", "2003::1", "64:ff9c::192.0.2.33"])(
    "finds nothing in %s",
    (address) => expect(carriedBy(address)).toEqual([]),
  );

  it("gives four octets each, for any address", () => {
    const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const property = fc.property(
      sixteen,
      fc.constantFrom(0x2001, 0x2002, 0x64),
      (octets, first) => {
        octets.set([first >> 8, first & 0xff, 0, 0]);
        for (const { octets: four } of embeddedIpv4s([...octets])) {
          expect(four).toHaveLength(4);
          for (const octet of four) expect(octet >= 0 && octet <= 255).toBe(true);
        }
      },
    );
    fc.assert(property, { ...SEED, numRuns: 500 });
  });
});
