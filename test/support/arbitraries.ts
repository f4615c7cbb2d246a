import fc from "fast-check";
import { type Address, hostOfOctets } from "../../protocol/address.ts";
import type { FailureReason } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import type { Hello } from "../../protocol/hello.ts";
import { FrameType, MAX_OFFSET, PING_LENGTH, ReasonNumber } from "../../protocol/wire.ts";

/** Property tests repeat exactly, on every machine. */
export const SEED = { seed: 20_261_121 } as const;

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const u64 = fc.nat(MAX_OFFSET);
const streamId = fc.integer({ min: 1, max: 0xffff_ffff });
const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });
/** At most 60 characters of 4 bytes each: never cut by MAX_TEXT. No lone surrogates. */
const text = fc.string({ unit: "grapheme", maxLength: 20 }).filter((value) => value.length <= 60);

const label = fc
  .stringMatching(/^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/)
  .filter((part) => !/^..--/.test(part));
const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join("."));

/** Any canonical address. */
export const addresses: fc.Arbitrary<Address> = fc
  .tuple(
    fc.oneof(
      name.map((host) => ({ kind: "name" as const, host })),
      fc.uint8Array({ minLength: 4, maxLength: 4 }).map(hostOfOctets),
      fc.uint8Array({ minLength: 16, maxLength: 16 }).map(hostOfOctets),
      // Sparse ones, for the "::" of RFC 5952.
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 0xff), { minLength: 16, maxLength: 16 })
        .map((octets) => hostOfOctets(Uint8Array.from(octets))),
    ),
    u16,
  )
  .map(([host, port]) => ({ ...host, port }));

export const hellos: fc.Arbitrary<Hello> = fc.record({
  version: u8,
  streamWindow: u32,
  sessionWindow: u64,
  carrierWindow: u32,
  maxStreams: u32,
  maxCarriers: u8,
  capabilities: u32,
  session: bytes(64),
  resumeWindow: u32,
  runtime: text,
  place: text,
  maxAge: u32,
  maxOpens: u32,
  carrier: u32,
  maxBytes: u64,
});

const reason = fc.constantFrom(...(Object.keys(ReasonNumber) as FailureReason[]));
const stamp = fc.uint8Array({ minLength: PING_LENGTH, maxLength: PING_LENGTH });
const entry = fc.record({ carrier: u32, received: u64 });

/** Any well-formed frame. */
export const frames: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constant(FrameType.Hello), hello: hellos }),
  fc.record({ type: fc.constantFrom(FrameType.Ping, FrameType.Pong), stamp }),
  fc.record({ type: fc.constant(FrameType.GoAway), reason: u8, drainMs: u32, text }),
  fc.record({ type: fc.constant(FrameType.Resume), entries: fc.array(entry, { maxLength: 5 }) }),
  fc.record({ type: fc.constant(FrameType.Ack), received: u64, frames: u64 }),
  fc.record({
    type: fc.constant(FrameType.Open),
    streamId,
    command: u8,
    address: addresses,
    early: bytes(40),
  }),
  fc.record({ type: fc.constant(FrameType.Opened), streamId, bound: addresses }),
  fc.record({ type: fc.constant(FrameType.Failed), streamId, reason, text }),
  fc.record({ type: fc.constant(FrameType.Data), streamId, bytes: bytes(200) }),
  fc.record({ type: fc.constant(FrameType.Fin), streamId, finalOffset: u64 }),
  fc.record({ type: fc.constant(FrameType.Reset), streamId, reason }),
  fc.record({ type: fc.constant(FrameType.Credit), streamId: u32, received: u64, limit: u64 }),
  fc.record({
    type: fc.constant(FrameType.Datagram),
    streamId,
    address: addresses,
    bytes: bytes(60),
  }),
);

/**
 * Messages that look like ours and mostly are not: real type numbers, small ids and lengths that
 * fit, around bytes of any kind, so that a decoder gets far before it meets what is wrong.
 */
export const nearMisses: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.tuple(
      fc.oneof(fc.constantFrom(...Object.values(FrameType)), u8),
      fc.constantFrom(0, 0, 1, 1, 2, 0xffff_ffff),
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(0, 0, 0, 0, 1, -1),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((parts) =>
    Uint8Array.from(
      parts.flatMap(([type, id, payload, slip]) => {
        const length = Math.max(0, payload.length + slip);
        return [
          type,
          0,
          0,
          length,
          id >>> 24,
          (id >>> 16) & 0xff,
          (id >>> 8) & 0xff,
          id & 0xff,
          ...payload,
        ];
      }),
    ),
  );
