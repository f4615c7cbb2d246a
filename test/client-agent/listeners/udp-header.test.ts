import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeUdpRequest, encodeUdpReply } from "../../../client-agent/listeners/udp-header.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { hex, toHex } from "../../support/hex.ts";

const ipv4 = hex("0000 00 01 7f000001 0035 6869");

describe("decodeUdpRequest()", () => {
  it.each([
    ["IPv4", ipv4, { kind: "ipv4", host: "127.0.0.1", port: 53 }],
    [
      "IPv6",
      hex("0000 00 04 20010db8000000000000000000000001 0035 6869"),
      { kind: "ipv6", host: "2001:db8::1", port: 53 },
    ],
    ["a name", hex("0000 00 03 02 6162 0035 6869"), { kind: "name", host: "ab", port: 53 }],
  ])("reads %s", (_what, datagram, address) => {
    expect(decodeUdpRequest(datagram)).toEqual({ fragment: 0, address, bytes: hex("6869") });
  });

  it("reads the fragment's number, and does not mind RSV", () => {
    expect(decodeUdpRequest(hex("ffff 83 01 7f000001 0035"))).toMatchObject({ fragment: 0x83 });
  });

  it("drops a datagram that is cut in its header, at any byte", () => {
    for (let length = 0; length < 10; length++) {
      expect(decodeUdpRequest(ipv4.subarray(0, length)), `${length} bytes`).toBeUndefined();
    }
  });

  it.each([
    ["an unknown ATYP", "0000 00 02 7f000001 0035"],
    ["a name of no bytes", "0000 00 03 00 0035"],
    ["a name that is no host", "0000 00 03 03 612f62 0035"],
    ["a name that is not UTF-8", "0000 00 03 02 fffe 0035"],
  ])("drops %s", (_what, datagram) => {
    expect(decodeUdpRequest(hex(datagram))).toBeUndefined();
  });

  it("never throws, whatever arrives", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void decodeUdpRequest(bytes)),
    );
  });
});

describe("encodeUdpReply()", () => {
  it("writes the bytes of RFC 1928 section 7", () => {
    expect(toHex(encodeUdpReply(parseAddress("127.0.0.1", 53), hex("6869")))).toBe(toHex(ipv4));
  });

  it("is read back as it was, with up to 65,507 bytes", () => {
    const bytes = new Uint8Array(65_507).fill(7);
    const address = parseAddress("2001:db8::1", 65_535);
    const reply = encodeUdpReply(address, bytes);
    expect(decodeUdpRequest(reply)).toEqual({ fragment: 0, address, bytes });
  });
});
