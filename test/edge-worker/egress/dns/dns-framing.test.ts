import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DnsDeframer, frameMessage } from "../../../../edge-worker/egress/dns/dns-framing.ts";
import { SEED } from "../../../support/arbitraries.ts";
import { hex, toHex } from "../../../support/hex.ts";

describe("frameMessage()", () => {
  it("puts the length in front", () => {
    expect(toHex(frameMessage(hex("0a0b0c")))).toBe("00030a0b0c");
    expect(frameMessage(new Uint8Array(65_535))).toHaveLength(65_537);
  });
});

describe("DnsDeframer", () => {
  it("gives the messages of any bytes cut in any way", () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 });
    const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 });
    fc.assert(
      fc.property(messages, cuts, (sent, sizes) => {
        const bytes = Uint8Array.from(sent.flatMap((message) => [...frameMessage(message)]));
        const deframer = new DnsDeframer();
        const got: Uint8Array[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          const chunk = bytes.slice(at, at + size);
          got.push(...deframer.push(chunk));
          // The memory of a chunk is the channel's again.
          chunk.fill(0xee);
          at += size;
        }
        expect(got).toEqual(sent);
      }),
      SEED,
    );
  });

  it("keeps what is not whole", () => {
    const deframer = new DnsDeframer();
    expect(deframer.push(hex("00"))).toEqual([]);
    expect(deframer.push(hex("02 0a"))).toEqual([]);
    expect(deframer.push(hex("0b 0000 0001"))).toEqual([hex("0a0b"), hex("")]);
    expect(deframer.push(hex("0c"))).toEqual([hex("0c")]);
  });
});
