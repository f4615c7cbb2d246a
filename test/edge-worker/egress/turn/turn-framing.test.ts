import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeStun, StunClass } from "../../../../edge-worker/egress/turn/stun-message.ts";
import {
  encodeChannelData,
  TurnDeframer,
  type TurnFrame,
} from "../../../../edge-worker/egress/turn/turn-framing.ts";
import { ProtocolError } from "../../../../protocol/errors.ts";
import { SEED } from "../../../support/arbitraries.ts";
import { hex, toHex } from "../../../support/hex.ts";

function framesOf(deframer: TurnDeframer): TurnFrame[] {
  const frames: TurnFrame[] = [];
  for (let frame = deframer.next(); frame; frame = deframer.next()) frames.push(frame);
  return frames;
}

describe("encodeChannelData()", () => {
  it.each([
    ["", "40010000"],
    ["0a", "400100010a000000"],
    ["0a0b0c0d", "400100040a0b0c0d"],
  ])("pads %j to four bytes", (bytes, encoded) => {
    expect(toHex(encodeChannelData(0x4001, hex(bytes)))).toBe(encoded);
  });
});

const channelFrames = fc
  .record({
    channel: fc.integer({ min: 0x4000, max: 0x4fff }),
    bytes: fc.uint8Array({ maxLength: 90 }),
  })
  .map(({ channel, bytes }) => ({
    frame: { kind: "channel", channel, bytes } as TurnFrame,
    encoded: encodeChannelData(channel, bytes),
  }));
const stunFrames = fc.uint8Array({ maxLength: 60 }).map((value) => {
  const attributes = [{ type: 0x0013, value }];
  const bytes = encodeStun({
    class: StunClass.Indication,
    method: 7,
    transactionId: new Uint8Array(12),
    attributes,
  });
  return { frame: { kind: "stun" as const, bytes }, encoded: bytes };
});

describe("TurnDeframer", () => {
  it("gives the messages of any bytes cut in any way", () => {
    const frames = fc.array(fc.oneof(channelFrames, stunFrames), { maxLength: 6 });
    const cuts = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 });
    fc.assert(
      fc.property(frames, cuts, (sent, sizes) => {
        const bytes = Uint8Array.from(sent.flatMap(({ encoded }) => [...encoded]));
        const deframer = new TurnDeframer();
        const got: TurnFrame[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          const chunk = bytes.slice(at, at + size);
          deframer.push(chunk);
          // The memory of a chunk is the channel's again.
          chunk.fill(0xee);
          got.push(...framesOf(deframer));
          at += size;
        }
        expect(got).toEqual(sent.map(({ frame }) => frame));
        expect(deframer.rest).toHaveLength(0);
      }),
      SEED,
    );
  });

  it("keeps what has come behind a message", () => {
    const deframer = new TurnDeframer();
    deframer.push(hex("40010001 0a000000 486920"));
    expect(deframer.next()).toEqual({ kind: "channel", channel: 0x4001, bytes: hex("0a") });
    expect(deframer.rest).toEqual(hex("486920"));
  });

  it.each(["50000000", "80000000", "ff000000"])("refuses what begins with %s", (bytes) => {
    const deframer = new TurnDeframer();
    deframer.push(hex(bytes));
    expect(() => deframer.next()).toThrow(ProtocolError);
  });
});
