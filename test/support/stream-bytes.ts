import type { ByteChannel } from "../../protocol/channel.ts";

/** Bytes that tell where they belong: a stream's own sequence, from `offset` on. */
export function patternOf(seed: number, length: number, offset = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => {
    const at = offset + index;
    return (at * 31 + (at >>> 8) * 17 + seed * 101) & 0xff;
  });
}

/** What a reader has got so far. */
export interface Received {
  readonly bytes: number[];
  /** null after the end, the error after a failure, undefined while it goes on. */
  end: unknown;
}

/** Reads to the end in the background. Chunks are copied, as their memory may be reused. */
export function readAll(channel: ByteChannel): Received {
  const received: Received = { bytes: [], end: undefined };
  const pump = async (): Promise<void> => {
    for (let chunk = await channel.read(); chunk; chunk = await channel.read())
      received.bytes.push(...chunk);
    received.end = null;
  };
  pump().catch((error: unknown) => (received.end = error));
  return received;
}

/** What became of a promise so far: its value, its error, or "pending". */
export function fateOf<Value>(promise: Promise<Value>): { now: Value | "pending" | Error } {
  const fate: { now: Value | "pending" | Error } = { now: "pending" };
  promise.then(
    (value) => (fate.now = value),
    (error: unknown) => (fate.now = error instanceof Error ? error : new Error(String(error))),
  );
  return fate;
}
