/**
 * A reliable, ordered, half-closable byte pipe. A TCP socket (Node or Workers), a multiplexed
 * stream and the in-memory pairs of the tests all have this shape.
 */
export interface ByteChannel {
  /**
   * The next chunk, never an empty one, or null once the far side has ended. The chunk may be
   * overwritten by the next `read()`: whoever keeps it longer copies it.
   */
  read(): Promise<Uint8Array | null>;
  /** Resolves when the chunk has been taken and may be reused: awaiting it is the backpressure. */
  write(chunk: Uint8Array): Promise<void>;
  /** Half-close: no more writes from here. Reading goes on. */
  end(): Promise<void>;
  /** Ends both directions now, dropping what is queued. Idempotent. */
  abort(reason: unknown): void;
}

/** Bytes moved by a relay, seen from its left channel. */
export interface RelayTotals {
  leftToRight: number;
  rightToLeft: number;
}

/** Joins two channels until both directions have ended. One failure aborts both and rejects. */
export async function relay(
  left: ByteChannel,
  right: ByteChannel,
  totals: RelayTotals = { leftToRight: 0, rightToLeft: 0 },
): Promise<RelayTotals> {
  try {
    await Promise.all([
      pump(left, right, (bytes) => (totals.leftToRight += bytes)),
      pump(right, left, (bytes) => (totals.rightToLeft += bytes)),
    ]);
    return totals;
  } catch (error) {
    for (const side of [left, right]) side.abort(error);
    throw error;
  }
}

async function pump(
  source: ByteChannel,
  sink: ByteChannel,
  count: (bytes: number) => void,
): Promise<void> {
  for (let chunk = await source.read(); chunk !== null; chunk = await source.read()) {
    // Counted before the write: a sink may detach or reuse the chunk's memory.
    count(chunk.length);
    await sink.write(chunk);
  }
  await sink.end();
}
