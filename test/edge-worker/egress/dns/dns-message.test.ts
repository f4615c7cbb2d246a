import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeDnsHead,
  decodeDnsMessage,
  encodeAnswer,
  encodeNameData,
  encodeQuery,
  Rcode,
  RecordType,
  truncated,
} from "../../../../edge-worker/egress/dns/dns-message.ts";
import { ProtocolError } from "../../../../protocol/errors.ts";
import { SEED } from "../../../support/arbitraries.ts";
import { hex, toHex } from "../../../support/hex.ts";

/** The POST example of RFC 8484 section 4.1.1: www.example.com, A. */
const query = hex(`0000 0100 0001 0000 0000 0000
  03 777777 07 6578616d706c65 03 636f6d 00 0001 0001`);

/** The response example of RFC 8484 section 4.2.2, an AAAA record with a TTL of 3709. */
const response = hex(`0000 8180 0001 0001 0000 0000
  03 777777 07 6578616d706c65 03 636f6d 00 001c 0001
  c0 0c 001c 0001 00000e7d 0010 20010db8abcd00120001000200030004`);

describe("encodeQuery()", () => {
  it("writes the query of RFC 8484", () => {
    expect(toHex(encodeQuery(0, "www.example.com", RecordType.A))).toBe(toHex(query));
  });
});

describe("decodeDnsMessage()", () => {
  it("reads the response of RFC 8484", () => {
    expect(decodeDnsMessage(response)).toMatchObject({
      id: 0,
      isResponse: true,
      rcode: Rcode.NoError,
      question: { name: "www.example.com", type: RecordType.AAAA, class: 1 },
      answers: [
        {
          name: "www.example.com",
          type: RecordType.AAAA,
          ttlSeconds: 3709,
          text: "2001:db8:abcd:12:1:2:3:4",
        },
      ],
      authorities: [],
      additionals: [],
    });
  });

  it.each([
    ["A", RecordType.A, hex("c0000201"), "192.0.2.1"],
    ["AAAA", RecordType.AAAA, hex("20010db8000000000000000000000001"), "2001:db8::1"],
    ["PTR", RecordType.PTR, encodeNameData("dns.example"), "dns.example"],
    ["CNAME to the question's name", RecordType.CNAME, hex("c00c"), "x.test"],
    ["A of a wrong length", RecordType.A, hex("c00002"), undefined],
    ["TXT", 16, hex("0161"), undefined],
  ])("reads what encodeAnswer() wrote: %s", (_what, type, data, text) => {
    const answer = encodeAnswer(encodeQuery(7, "x.test", type), 0, [
      { type, ttlSeconds: 60, data },
    ]);
    expect(decodeDnsMessage(answer)).toMatchObject({
      id: 7,
      isResponse: true,
      question: { name: "x.test", type },
      answers: [{ name: "x.test", type, ttlSeconds: 60, text, data }],
    });
  });

  it("reads a response cut at any byte as an error", () => {
    for (let length = 0; length < response.length; length++) {
      expect(() => decodeDnsMessage(response.subarray(0, length)), `${length}`).toThrow(
        ProtocolError,
      );
    }
  });

  it.each([
    ["no question", "0000 0100 0000 0000 0000 0000"],
    ["two questions", "0000 0100 0002 0000 0000 0000 00 0001 0001 00 0001 0001"],
    ["an UPDATE", "0000 2800 0001 0000 0000 0000 00 0001 0001"],
    ["more records than there are", "0000 8100 0001 ffff 0000 0000 00 0001 0001"],
    [
      "a CNAME beyond its record",
      "0000 8100 0001 0001 0000 0000 00 0001 0001 00 0005 0001 00000001 0001 01 61 00",
    ],
  ])("refuses a message with %s", (_what, bytes) => {
    expect(() => decodeDnsMessage(hex(bytes))).toThrow(ProtocolError);
  });

  it("gives a message or a ProtocolError for whatever comes", () => {
    const flips = fc.array(fc.tuple(fc.nat(response.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(flips, fc.uint8Array({ maxLength: 20 }), (changes, tail) => {
        const bytes = Uint8Array.from([...response, ...tail]);
        for (const [at, octet] of changes) bytes[at] = octet;
        try {
          expect(decodeDnsMessage(bytes).question.name).toBeTypeOf("string");
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { ...SEED, numRuns: 500 },
    );
  });
});

describe("truncated()", () => {
  it("leaves the question, and says TC", () => {
    const cut = truncated(response);
    expect(decodeDnsHead(cut)).toEqual(decodeDnsHead(response));
    expect(cut).toHaveLength(decodeDnsHead(response).end);
    expect(toHex(cut.subarray(0, 12))).toBe("000083800001000000000000");
    expect(decodeDnsMessage(cut).answers).toEqual([]);
  });
});
