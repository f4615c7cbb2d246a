import { decodeFrames, type Frame } from "./frame.ts";
import type { SentMessage } from "./sent-log.ts";
import { FrameType } from "./wire.ts";

interface Batch {
  readonly frames: Iterator<Frame, void>;
  readonly message: SentMessage;
  next: Frame | undefined;
}

/**
 * Frames of lost carriers that their peer has not received, in order. They go out before anything
 * else of the session does: all frames of a stream stay in order by that.
 */
export class Backlog {
  #batches: Batch[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  /** Memory that is kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a message, less its first `skip` frames. */
  add(message: SentMessage, skip: number): void {
    const frames = decodeFrames(message.bytes);
    for (let skipped = 0; skipped < skip; skipped++) frames.next();
    this.#batches.push({ frames, message, next: nextOf(frames) });
    this.#bytes += message.bytes.length;
    this.#releaseSpent();
  }

  /** Adds all of another backlog, which is not used any more. */
  append(other: Backlog): void {
    this.#batches = [...this.#batches, ...other.#batches];
    this.#bytes += other.#bytes;
  }

  /** The next frame; its bytes are valid until shift(). */
  peek(): Frame | undefined {
    return this.#batches[0]?.next;
  }

  shift(): void {
    const [batch] = this.#batches;
    if (!batch) return;
    batch.next = nextOf(batch.frames);
    this.#releaseSpent();
  }

  /** Takes the first `bytes` of the DATA frame that is next, and leaves the rest. */
  cut(bytes: number): Uint8Array {
    const [batch] = this.#batches;
    if (batch?.next?.type !== FrameType.Data) return new Uint8Array();
    const { next } = batch;
    batch.next = { ...next, bytes: next.bytes.subarray(bytes) };
    return next.bytes.subarray(0, bytes);
  }

  #releaseSpent(): void {
    for (let [batch] = this.#batches; batch && !batch.next; [batch] = this.#batches) {
      this.#batches.shift();
      this.#bytes -= batch.message.bytes.length;
      batch.message.release();
    }
  }
}

function nextOf(frames: Iterator<Frame, void>): Frame | undefined {
  const { done, value } = frames.next();
  return done ? undefined : value;
}
