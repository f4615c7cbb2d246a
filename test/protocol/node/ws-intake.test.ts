import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WsIntake } from "../../../protocol/node/ws-intake.ts";
import { SEED } from "../../support/arbitraries.ts";

const SHARED = 65_536;

/** An intake of records that begin with their own length as a u32; `taken` is a sum over each. */
function recording(shared = new Uint8Array(SHARED)) {
  const taken: string[] = [];
  const intake = new WsIntake(shared, (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (at + 4 <= bytes.length) {
      const end = at + view.getUint32(at);
      if (end > bytes.length) break;
      taken.push(sumOf(bytes.subarray(at, end)));
      at = end;
    }
    return at;
  });
  return { intake, shared, taken };
}

function sumOf(bytes: Uint8Array): string {
  let sum = 0;
  for (const byte of bytes) sum = (sum * 31 + byte) % 1_000_000_007;
  return `${bytes.length}:${sum}`;
}

function record(length: number, seed: number): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

/** Reads as a socket does: into the room, as much as fits. */
function read(intake: WsIntake, bytes: Uint8Array): number {
  const room = intake.room;
  const length = Math.min(room.length, bytes.length);
  room.set(bytes.subarray(0, length));
  intake.take(room.subarray(0, length));
  return length;
}

describe("WsIntake", () => {
  it("gives the same whole records, however they are read", () => {
    const lengths = fc.array(
      fc.oneof(fc.integer({ min: 4, max: 50 }), fc.integer({ min: 4, max: 200_000 })),
      { maxLength: 8 },
    );
    const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 300_000 }), fc.boolean()), {
      minLength: 1,
      maxLength: 10,
    });
    const property = fc.property(lengths, steps, (lengths, steps) => {
      const records = lengths.map(record);
      const bytes = new Uint8Array(Buffer.concat(records));
      const { intake, taken, shared } = recording();
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const [step = 1, isElsewhere = false] = steps[i % steps.length] ?? [];
        const piece = bytes.slice(at, at + step);
        if (isElsewhere) intake.take(piece);
        at += isElsewhere ? piece.length : read(intake, piece);
        // Another carrier reads into the shared room meanwhile.
        shared.fill(0xcc);
      }
      expect(taken).toEqual(records.map(sumOf));
    });
    fc.assert(property, { ...SEED, numRuns: 40 });
  });

  it("stays with the shared room while records come whole", () => {
    const { intake, shared, taken } = recording();
    for (let i = 0; i < 3; i++) read(intake, record(1000, i));
    expect(intake.room).toBe(shared);
    expect(taken).toHaveLength(3);
  });

  it("takes memory of its own for a record in pieces, and lets go of it when all is calm", () => {
    const { intake, shared, taken } = recording();
    const large = record(100_000, 1);
    for (let at = 0; at < large.length;) at += read(intake, large.subarray(at));
    expect(taken).toEqual([sumOf(large)]);
    expect(intake.room).not.toBe(shared);
    for (let i = 0; i < 16; i++) read(intake, record(100, i));
    expect(intake.room).toBe(shared);
    expect(taken).toHaveLength(17);
  });

  it("has room for a read of some size in the middle of a record, however long that is", () => {
    const { intake } = recording();
    const long = record(1_048_590, 1);
    for (let at = 0; at < long.length;) {
      expect(intake.room.length).toBeGreaterThanOrEqual(SHARED);
      at += read(intake, long.subarray(at, at + 50_000));
    }
    expect(intake.room.buffer.byteLength).toBeLessThanOrEqual(4 * 1_048_576);
  });
});
