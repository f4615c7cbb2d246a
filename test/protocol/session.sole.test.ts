import { describe, expect, it } from "vitest";
import { type Address, parseAddress } from "../../protocol/address.ts";
import type { ByteChannel } from "../../protocol/channel.ts";
import { decodeFrames } from "../../protocol/frame.ts";
import {
  MESSAGE_BYTES,
  OVER_BYTES,
  SHARED_MESSAGE_BYTES,
  SOLE_MESSAGE_BYTES,
  TURN_BYTES,
} from "../../protocol/message-memory.ts";
import { Command, FrameType } from "../../protocol/wire.ts";
import { helloWith, sessionPair, type SessionPair } from "../support/session-pair.ts";

const target: Address = parseAddress("192.0.2.7", 80);
const MEBIBYTE = 1_048_576;
/** Beside payload: an ACK and the headers of a few frames. */
const HEADERS = 100;

/** A pair between which nothing stands in the way of a stream. */
function widePair(delayMs: number): Promise<SessionPair> {
  const hello = helloWith({
    streamWindow: 4 * MEBIBYTE,
    sessionWindow: 64 * MEBIBYTE,
    carrierWindow: 16 * MEBIBYTE,
  });
  return sessionPair(hello, hello, delayMs);
}

async function pour(into: ByteChannel, bytes: number): Promise<void> {
  const chunk = new Uint8Array(SOLE_MESSAGE_BYTES).fill(1);
  for (let left = bytes; left > 0; left -= chunk.length) {
    await into.write(chunk.subarray(0, Math.min(left, chunk.length)));
  }
  await into.end();
}

async function drain(from: ByteChannel): Promise<number> {
  let sum = 0;
  for (let chunk = await from.read(); chunk !== null; chunk = await from.read())
    sum += chunk.length;
  return sum;
}

/** Pours so many bytes into each of so many streams; tells what arrived, and how long messages were. */
async function transfer(pair: SessionPair, streams: number, bytes: number) {
  const { agent, clock, carriers, incoming } = pair;
  const opened = Array.from(
    { length: streams },
    () => agent.open(Command.Connect, target, new Uint8Array()).stream,
  );
  while (incoming.length < streams) await clock.advance(1);
  const pouring = opened.map((stream) => pour(stream, bytes));
  const arrived = Promise.all(incoming.map(({ stream }) => drain(stream)));
  const state = { isDone: false };
  const done = Promise.all([arrived, ...pouring]).finally(() => (state.isDone = true));
  while (!state.isDone) await clock.advance(0.5);
  await done;
  return { sums: await arrived, lengths: carriers.sent.left.map(({ length }) => length) };
}

describe("Session, of one stream alone", () => {
  it("sends longer messages once a fast carrier has been its own for a while", async () => {
    // A delay that no rate is a whole number with.
    const { sums, lengths } = await transfer(await widePair(0.37), 1, 24 * MEBIBYTE);
    expect(sums).toEqual([24 * MEBIBYTE]);
    const first = lengths.slice(0, 4);
    expect(Math.max(...first)).toBeLessThanOrEqual(MESSAGE_BYTES + TURN_BYTES + HEADERS);
    expect(Math.max(...lengths)).toBeGreaterThan(2 * MESSAGE_BYTES);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(SOLE_MESSAGE_BYTES + TURN_BYTES + HEADERS);
  });

  it("does not where the carrier delivers little in a millisecond", async () => {
    const { sums, lengths } = await transfer(await widePair(40), 1, 8 * MEBIBYTE);
    expect(sums).toEqual([8 * MEBIBYTE]);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(MESSAGE_BYTES + TURN_BYTES + HEADERS);
  });
});

describe("Session, of several streams", () => {
  it("keeps messages shorter, as the others wait for them", async () => {
    const { sums, lengths } = await transfer(await widePair(0.37), 3, 8 * MEBIBYTE);
    expect(sums).toEqual([8 * MEBIBYTE, 8 * MEBIBYTE, 8 * MEBIBYTE]);
    // The last of them may have been alone for long enough in the end.
    const most = lengths.slice(0, lengths.length / 2);
    const longest = SHARED_MESSAGE_BYTES + TURN_BYTES + OVER_BYTES + HEADERS;
    expect(Math.max(...most)).toBeLessThanOrEqual(longest);
  });

  it("does not cut what they send to fit each gap that an ACK leaves", async () => {
    const pair = await widePair(0.37);
    const sizes: number[] = [];
    const { lengths } = await transfer(pair, 3, 8 * MEBIBYTE);
    for (const message of pair.carriers.sent.left.slice(20, lengths.length / 2)) {
      for (const frame of decodeFrames(message)) {
        if (frame.type === FrameType.Data) sizes.push(frame.bytes.length);
      }
    }
    const small = sizes.filter((size) => size < TURN_BYTES / 2).length;
    expect(sizes.length).toBeGreaterThan(50);
    expect(small / sizes.length).toBeLessThan(0.1);
  });
});
