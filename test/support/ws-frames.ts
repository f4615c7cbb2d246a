import fc from "fast-check";

/** A frame of RFC 6455 as plain as can be, right or wrong. */
export interface RawFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
  /** FIN; true when left out. */
  readonly isFinal?: boolean;
  /** RSV1 to RSV3 as one number. */
  readonly reserved?: number;
  /** The masking key; a server has none. */
  readonly mask?: Uint8Array;
}

/** Encodes a frame byte by byte, straight from RFC 6455 section 5.2. */
export function rawFrame({ opcode, payload, isFinal, reserved, mask }: RawFrame): Uint8Array {
  const { length } = payload;
  const first = (isFinal === false ? 0 : 0x80) + (reserved ?? 0) * 0x10 + opcode;
  const bit = mask ? 0x80 : 0;
  const head = [first, bit + (length > 65_535 ? 127 : length > 125 ? 126 : length)];
  if (length > 65_535) head.push(0, 0, 0, 0, length >>> 24, (length >> 16) & 0xff);
  if (length > 125) head.push((length >> 8) & 0xff, length & 0xff);
  return Uint8Array.from([
    ...head,
    ...(mask ?? []),
    ...Array.from(payload, (byte, i) => byte ^ (mask?.[i % 4] ?? 0)),
  ]);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}

/** `bytes` in pieces: cut at each of the places. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))];
  const sorted = [0, ...ends.toSorted((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end));
}

export const masks = fc.uint8Array({ minLength: 4, maxLength: 4 });
export const cuts = fc.array(fc.nat(100_000), { maxLength: 12 });

const payloads = fc.oneof(
  { arbitrary: fc.uint8Array({ maxLength: 20 }), weight: 8 },
  {
    arbitrary: fc
      .constantFrom(125, 126, 127, 65_535, 65_536)
      .map((length) => new Uint8Array(length).fill(9)),
    weight: 1,
  },
);
const controls = fc.record({
  opcode: fc.constantFrom(0x9, 0xa),
  payload: fc.uint8Array({ maxLength: 125 }),
});

/** The frames of one binary message, in pieces and with control frames between them. */
const messageFrames = fc
  .tuple(fc.array(fc.tuple(payloads, fc.option(controls)), { minLength: 1, maxLength: 4 }))
  .map(([pieces]) =>
    pieces.flatMap(([payload, control], i): RawFrame[] => [
      { opcode: i === 0 ? 0x2 : 0x0, payload, isFinal: i === pieces.length - 1 },
      ...(control ? [control] : []),
    ]),
  );

/** What a peer that keeps RFC 6455 may send. */
export const validFrames: fc.Arbitrary<RawFrame[]> = fc
  .array(messageFrames, { maxLength: 5 })
  .map((messages) => messages.flat());

/** Frames of any kind but text: some of them break RFC 6455. */
export const anyFrames: fc.Arbitrary<RawFrame[]> = fc.array(
  fc.record(
    {
      opcode: fc.oneof(
        { arbitrary: fc.constantFrom(0x0, 0x2, 0x2, 0x9, 0xa), weight: 6 },
        { arbitrary: fc.constantFrom(0x3, 0x7, 0x8, 0xb, 0xf), weight: 1 },
      ),
      payload: fc.oneof(fc.uint8Array({ maxLength: 10 }), fc.uint8Array({ maxLength: 140 })),
      isFinal: fc.oneof(
        { arbitrary: fc.constant(true), weight: 3 },
        { arbitrary: fc.constant(false), weight: 1 },
      ),
      reserved: fc.oneof(
        { arbitrary: fc.constant(0), weight: 20 },
        { arbitrary: fc.integer({ min: 1, max: 7 }), weight: 1 },
      ),
    },
    { requiredKeys: ["opcode", "payload"] },
  ),
  { maxLength: 8 },
);
