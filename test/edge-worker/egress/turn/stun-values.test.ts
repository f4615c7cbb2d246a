import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  attributeOf,
  decodeStun,
  StunAttribute,
} from "../../../../edge-worker/egress/turn/stun-message.ts";
import {
  decodeErrorCode,
  decodeText,
  decodeU32,
  decodeXorAddress,
  encodeChannelNumber,
  encodeOctet,
  encodeText,
  encodeU32,
  encodeXorAddress,
} from "../../../../edge-worker/egress/turn/stun-values.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { ProtocolError } from "../../../../protocol/errors.ts";
import { addresses, SEED } from "../../../support/arbitraries.ts";
import { hex, toHex } from "../../../support/hex.ts";
import { rfc5769 } from "../../../support/rfc5769.ts";

describe("decodeXorAddress()", () => {
  it.each([
    [rfc5769.ipv4Response.bytes, parseAddress("192.0.2.1", 32_853)],
    [rfc5769.ipv6Response.bytes, parseAddress("2001:db8:1234:5678:11:2233:4455:6677", 32_853)],
  ])("reads the address of RFC 5769", (bytes, address) => {
    const message = decodeStun(bytes);
    const value = attributeOf(message, StunAttribute.XorMappedAddress) ?? hex("");
    expect(decodeXorAddress(value, message.transactionId)).toEqual(address);
    expect(encodeXorAddress(address, message.transactionId)).toEqual(value.slice());
  });

  it("is the inverse of encodeXorAddress()", () => {
    const ids = fc.uint8Array({ minLength: 12, maxLength: 12 });
    const numeric = addresses.filter(({ kind }) => kind !== "name");
    fc.assert(
      fc.property(numeric, ids, (address, id) => {
        expect(decodeXorAddress(encodeXorAddress(address, id), id)).toEqual(address);
      }),
      SEED,
    );
  });

  it.each([
    "",
    "00",
    "0001 a147",
    "0001 a147 e112a6",
    "0001 a147 e112a64300",
    "0003 a147 e112a643",
  ])("refuses %j", (value) => {
    expect(() => decodeXorAddress(hex(value), new Uint8Array(12))).toThrow(ProtocolError);
  });
});

describe("decodeErrorCode()", () => {
  it.each([
    ["0000 0401 556e61", 401],
    ["0000 0426", 438],
    ["0000 0300", 300],
    ["", 0],
    ["00", 0],
  ])("reads %j", (value, code) => {
    expect(decodeErrorCode(hex(value))).toBe(code);
  });

  it("reads none as 0", () => expect(decodeErrorCode(undefined)).toBe(0));
});

describe("texts and numbers", () => {
  it("are written as the RFCs do, and read back", () => {
    expect(decodeText(encodeText("マトリックス"))).toBe("マトリックス");
    expect(toHex(encodeU32(600))).toBe("00000258");
    expect(decodeU32(encodeU32(0xffff_ffff))).toBe(0xffff_ffff);
    expect(toHex(encodeOctet(17))).toBe("11000000");
    expect(toHex(encodeChannelNumber(0x4001))).toBe("40010000");
    expect(() => decodeU32(hex("0000"))).toThrow(ProtocolError);
    expect(() => decodeU32(hex("0000000000"))).toThrow(ProtocolError);
  });
});
