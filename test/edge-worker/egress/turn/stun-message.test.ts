import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  attributeOf,
  decodeStun,
  encodeStun,
  StunAttribute,
  StunClass,
  StunMethod,
} from "../../../../edge-worker/egress/turn/stun-message.ts";
import { ProtocolError } from "../../../../protocol/errors.ts";
import { SEED } from "../../../support/arbitraries.ts";
import { hex, toHex } from "../../../support/hex.ts";
import { rfc5769 } from "../../../support/rfc5769.ts";

const transactionId = hex("b7e7a701 bc34d686 fa87dfae");

const messages = fc.record({
  class: fc.constantFrom(...Object.values(StunClass)),
  method: fc.nat(0xfff),
  transactionId: fc.uint8Array({ minLength: 12, maxLength: 12 }),
  attributes: fc.array(
    fc.record({
      type: fc.nat(0xffff).filter((type) => type !== StunAttribute.MessageIntegrity),
      value: fc.uint8Array({ maxLength: 40 }),
    }),
    { maxLength: 5 },
  ),
});

describe("encodeStun()", () => {
  it.each([
    [StunClass.Request, StunMethod.Binding, "0001"],
    [StunClass.Success, StunMethod.Binding, "0101"],
    [StunClass.Request, StunMethod.Allocate, "0003"],
    [StunClass.Error, StunMethod.Allocate, "0113"],
    [StunClass.Indication, StunMethod.Send, "0016"],
    [StunClass.Indication, StunMethod.Data, "0017"],
    [StunClass.Success, StunMethod.ChannelBind, "0109"],
    [StunClass.Indication, StunMethod.ConnectionAttempt, "001c"],
    [StunClass.Request, 0xfff, "3eef"],
  ])("writes class %i and method %i as the RFCs do", (messageClass, method, type) => {
    const message = { class: messageClass, method, transactionId, attributes: [] };
    expect(toHex(encodeStun(message))).toBe(`${type}00002112a442${toHex(transactionId)}`);
  });

  it("pads values to four bytes, which their length does not count", () => {
    const attributes = [{ type: 0x8022, value: hex("0102030405") }];
    const bytes = encodeStun({ class: StunClass.Request, method: 1, transactionId, attributes });
    expect(toHex(bytes.subarray(2, 4))).toBe("000c");
    expect(toHex(bytes.subarray(20))).toBe("802200050102030405000000");
  });
});

describe("decodeStun()", () => {
  it.each(Object.entries(rfc5769))("reads the %s of RFC 5769", (_name, { bytes, types }) => {
    const message = decodeStun(bytes);
    expect(message.attributes.map(({ type }) => type)).toEqual(types);
    expect(message.method).toBe(StunMethod.Binding);
  });

  it("is the inverse of encodeStun()", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const decoded = decodeStun(encodeStun(message));
        expect(decoded).toEqual({ ...message, integrityAt: undefined });
      }),
      SEED,
    );
  });

  it("leaves out what follows MESSAGE-INTEGRITY", () => {
    const { bytes } = rfc5769.request;
    const late = Uint8Array.from([...bytes, 0x00, 0x06, 0, 4, 1, 2, 3, 4]);
    late[3] = late.length - 20;
    const types = decodeStun(late).attributes.map(({ type }) => type);
    expect(types).toEqual(rfc5769.request.types);
  });

  it("refuses a message cut at any byte", () => {
    const { bytes } = rfc5769.request;
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeStun(bytes.subarray(0, length)), `${length}`).toThrow(ProtocolError);
    }
  });

  it.each([
    ["another cookie", 4, 0x22],
    ["bits in front", 0, 0x40],
    ["a length that is no multiple of four", 3, 0x57],
    ["an attribute beyond the end", 23, 0xff],
  ])("refuses a message with %s", (_what, at, octet) => {
    const bytes = rfc5769.request.bytes.slice();
    bytes[at] = octet;
    expect(() => decodeStun(bytes)).toThrow(ProtocolError);
  });

  it("gives a message or a ProtocolError for whatever comes", () => {
    const flips = fc.array(fc.tuple(fc.nat(107), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(flips, fc.uint8Array({ maxLength: 12 }), (changes, tail) => {
        const bytes = Uint8Array.from([...rfc5769.request.bytes, ...tail]);
        for (const [at, octet] of changes) bytes[at] = octet;
        try {
          expect(attributeOf(decodeStun(bytes), 0x7fff)).toBeUndefined();
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { ...SEED, numRuns: 500 },
    );
  });
});
