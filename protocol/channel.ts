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
  /** Ends both directions now, dropping what is queued: reads and writes reject with `reason`. Idempotent. */
  abort(reason: unknown): void;
  /**
   * Calls back once when the channel breaks, at once if it has. Reads and writes tell of it too,
   * but whoever waits for the other side of a relay does neither. The last callback counts.
   */
  onceFailed(callback: (reason: unknown) => void): void;
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
  // A pump that waits for one side to take bytes does not hear that the other has broken.
  const failure = Promise.withResolvers<never>();
  for (const side of [left, right]) side.onceFailed(failure.reject);
  const pumps = Promise.all([
    pump(left, right, (bytes) => (totals.leftToRight += bytes)),
    pump(right, left, (bytes) => (totals.rightToLeft += bytes)),
  ]);
  try {
    await Promise.race([pumps, failure.promise]);
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
