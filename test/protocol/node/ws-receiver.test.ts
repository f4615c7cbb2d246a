import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as ws from "ws";
import { WebSocketError } from "../../../protocol/node/ws-frame.ts";
import { WsReceiver } from "../../../protocol/node/ws-receiver.ts";
import { MAX_MESSAGE } from "../../../protocol/wire.ts";
import { SEED } from "../../support/arbitraries.ts";
import { hex, toHex } from "../../support/hex.ts";
import {
  anyFrames,
  cutAt,
  cuts,
  joined,
  masks,
  type RawFrame,
  rawFrame,
  validFrames,
} from "../../support/ws-frames.ts";

/** What a receiver has told, as text, and the close code of the error it ended with. */
interface Told {
  readonly events: string[];
  error: number | undefined;
}

/** Gives a receiver its bytes piece by piece, what it leaves over again with the next. */
function receive(isServer: boolean, pieces: readonly Uint8Array[]): Told {
  const told: Told = { events: [], error: undefined };
  const receiver = new WsReceiver(isServer, {
    message: (bytes) => told.events.push(`message ${toHex(bytes)}`),
    ping: (bytes) => told.events.push(`ping ${toHex(bytes)}`),
    closeReceived: (code, reason) => told.events.push(`close ${code} ${reason}`),
  });
  let waiting: Uint8Array = new Uint8Array();
  try {
    for (const piece of pieces) {
      const bytes = joined([waiting, piece]);
      waiting = bytes.subarray(receiver.take(bytes));
    }
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    told.error = error.closeCode;
  }
  return told;
}

/** What `ws` makes of the same bytes. */
async function receiveByWs(isServer: boolean, bytes: Uint8Array): Promise<Told> {
  const told: Told = { events: [], error: undefined };
  const options = { isServer, maxPayload: MAX_MESSAGE, allowSynchronousEvents: true };
  const { Receiver } = ws as unknown as {
    Receiver: new (options: object) => NodeJS.EventEmitter & NodeJS.WritableStream;
  };
  const receiver = new Receiver(options)
    .on("message", (data: Buffer) => told.events.push(`message ${toHex(data)}`))
    .on("ping", (data: Buffer) => told.events.push(`ping ${toHex(data)}`))
    .on("conclude", (code: number, reason: Buffer) =>
      told.events.push(`close ${code} ${reason.toString()}`),
    )
    .on("error", (error: object) => {
      const key = Object.getOwnPropertySymbols(error).find(
        ({ description }) => description === "status-code",
      );
      told.error = key && (error as Record<symbol, number>)[key];
    });
  receiver.write(Buffer.from(bytes));
  await turn();
  return told;
}

const encode = (frames: readonly RawFrame[], mask?: Uint8Array): Uint8Array =>
  joined(frames.map((frame) => rawFrame(mask ? { ...frame, mask } : frame)));

describe("WsReceiver", () => {
  it("unmasks the example of RFC 6455 section 5.7", () => {
    // As binary: text is not ours.
    expect(receive(true, [hex("82 85 37fa213d 7f9f4d5158")]).events).toEqual([
      "message 48656c6c6f",
    ]);
  });

  it("takes the same from valid frames, however they are masked and cut", () => {
    const property = fc.property(validFrames, fc.option(masks), cuts, (frames, mask, places) => {
      const expected: string[] = [];
      let message = "";
      for (const { opcode, payload, isFinal } of frames) {
        if (opcode === 0x9) expected.push(`ping ${toHex(payload)}`);
        if (opcode > 0x2) continue;
        message += toHex(payload);
        if (isFinal === false) continue;
        expected.push(`message ${message}`);
        message = "";
      }
      const bytes = encode(frames, mask ?? undefined);
      const told = receive(mask !== null, cutAt(bytes, places));
      expect(told).toEqual({ events: expected, error: undefined });
    });
    fc.assert(property, { ...SEED, numRuns: 50 });
  });

  it("takes nothing of a frame that is cut at any byte", () => {
    const bytes = rawFrame({ opcode: 2, payload: new Uint8Array(130), mask: hex("01020304") });
    for (let end = 0; end < bytes.length; end++) {
      expect(receive(true, [bytes.slice(0, end)])).toEqual({ events: [], error: undefined });
    }
  });

  it("judges any frames as ws does, from a client and from a server", async () => {
    const property = fc.asyncProperty(anyFrames, fc.option(masks), async (frames, mask) => {
      const bytes = encode(frames, mask ?? undefined);
      const ours = receive(mask !== null, [bytes.slice()]);
      expect(ours).toEqual(await receiveByWs(mask !== null, bytes));
    });
    await fc.assert(property, { ...SEED, numRuns: 500 });
  });

  it("judges any bytes as ws does", async () => {
    // Text is what ws takes and this does not.
    const property = fc.asyncProperty(
      fc.uint8Array({ maxLength: 30 }),
      fc.boolean(),
      async (bytes, isServer) => {
        // With enough behind it for the last header: ws judges half of one already.
        const more = joined([bytes, new Uint8Array(20)]);
        const ours = receive(isServer, [more.slice()]);
        if (ours.error === 1003) return;
        const theirs = await receiveByWs(isServer, more);
        expect(ours.events).toEqual(theirs.events);
        // Of two flaws in one header either may be told.
        expect(ours.error === undefined).toBe(theirs.error === undefined);
      },
    );
    await fc.assert(property, { ...SEED, numRuns: 1000 });
  });

  it.each([
    ["a piece without a beginning", "80 00", 1002],
    ["a message within a message", "02 01 aa 82 01 bb", 1002],
    ["half a close code", "88 01 03", 1002],
    ["close code 1005", "88 02 03ed", 1002],
    ["close code 1006", "88 02 03ee", 1002],
    ["close code 1015", "88 02 03f7", 1002],
    ["close code 2999", "88 02 0bb7", 1002],
    ["close code 5000", "88 02 1388", 1002],
    ["a close reason that is not UTF-8", "88 03 03e8 ff", 1002],
    ["text", "81 01 61", 1003],
  ])("rejects %s", (_what, bytes, code) => expect(receive(false, [hex(bytes)]).error).toBe(code));

  it("rejects a message in pieces beyond MAX_MESSAGE, before the last piece is there", () => {
    const piece = rawFrame({ opcode: 2, payload: new Uint8Array(MAX_MESSAGE), isFinal: false });
    const next = rawFrame({ opcode: 0, payload: new Uint8Array(1) });
    expect(receive(false, [piece, next.slice(0, 2)])).toEqual({ events: [], error: 1009 });
    const whole = receive(false, [piece, rawFrame({ opcode: 0, payload: new Uint8Array() })]);
    expect(whole).toMatchObject({ events: { length: 1 }, error: undefined });
  });

  it("takes a close with and without a code, and nothing behind it", () => {
    expect(receive(false, [hex("88 05 03e9 627965 82 01 aa")]).events).toEqual(["close 1001 bye"]);
    expect(receive(false, [hex("88 00 ff ff ff")])).toEqual({
      events: ["close 1005 "],
      error: undefined,
    });
  });
});
