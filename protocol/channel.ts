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
export function relay(
  left: ByteChannel,
  right: ByteChannel,
  totals: RelayTotals = { leftToRight: 0, rightToLeft: 0 },
): Promise<RelayTotals> {
  return new Promise((resolve, reject) => {
    let running = 2;
    const ended = (): void => {
      if (--running === 0) resolve(totals);
    };
    const failed = (error: unknown): void => {
      if (running === 0) return;
      running = 0;
      left.abort(error);
      right.abort(error);
      reject(error);
    };
    // A pump that waits for one side to take bytes does not hear that the other has broken.
    left.onceFailed(failed);
    right.onceFailed(failed);
    pump(left, right, totals, "leftToRight").then(ended, failed);
    pump(right, left, totals, "rightToLeft").then(ended, failed);
  });
}

async function pump(
  source: ByteChannel,
  sink: ByteChannel,
  totals: RelayTotals,
  way: keyof RelayTotals,
): Promise<void> {
  for (let chunk = await source.read(); chunk !== null; chunk = await source.read()) {
    // Counted before the write: a sink may detach or reuse the chunk's memory.
    totals[way] += chunk.length;
    await sink.write(chunk);
  }
  await sink.end();
}
