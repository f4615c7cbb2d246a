import { OVER_BYTES, TURN_BYTES } from "./message-memory.ts";

/** A stream's place in the order of turns. Owned by the stream, written by the scheduler only. */
export class Turn {
  isQueued = false;
  /** When the present span of counting began, and the bytes sent since. */
  since: number = -Infinity;
  bytes = 0;
  /** Bytes that are left of its quantum; below 0 it has sent more. */
  deficit = 0;
}

/** Bytes a stream may send in one span and still count as small. */
const PROMPT_BYTES = 32_768;
/** Milliseconds after which a stream's count begins anew. */
const SPAN_MS = 100;
/** Prompt turns in a row after which a waiting bulk stream gets one. */
const PROMPT_RUN = 8;
/** Bytes after which a stream that was served alone counts as the only one. */
const SOLE_BYTES = 1_048_576;

/**
 * Whose turn it is to send. Streams that sent little of late (a keystroke, a request, a young
 * stream) go before bulk streams, by turns; bulk is never starved: it gets every ninth turn at
 * worst. Bulk streams share by deficit round robin (Shreedhar and Varghese, 1995): each has a
 * quantum a round, and whoever could not use all of it, as the network took less or its next bytes
 * were not there yet, goes on with the rest before the round does; what it has sent beyond is taken off
 * its next one. So they get the same bytes, not the same number of frames.
 */
export class Scheduler<Entry extends { readonly turn: Turn }> {
  readonly #prompt: Entry[] = [];
  readonly #bulk: Entry[] = [];
  /** Bulk streams with a part of their quantum left. */
  readonly #unfinished: Entry[] = [];
  #run = 0;
  /** Who was served last, and the bytes since somebody else was. */
  #last: Turn | undefined;
  #soleBytes = 0;

  /** Nobody but one stream has been served for long: no other waits behind what it has in flight. */
  get servesOne(): boolean {
    return this.#soleBytes >= SOLE_BYTES;
  }

  get isEmpty(): boolean {
    return this.#prompt.length === 0 && this.#isBulkEmpty;
  }

  get #isBulkEmpty(): boolean {
    return this.#bulk.length === 0 && this.#unfinished.length === 0;
  }

  /** Queues an entry that has something to send; one already queued keeps its place. */
  add(entry: Entry, now: number): void {
    const { turn } = entry;
    if (turn.isQueued) return;
    if (now - turn.since > SPAN_MS) {
      turn.since = now;
      turn.bytes = 0;
      turn.deficit = 0;
    }
    turn.isQueued = true;
    if (turn.bytes < PROMPT_BYTES) this.#prompt.push(entry);
    else (turn.deficit > 0 ? this.#unfinished : this.#bulk).push(entry);
  }

  /** Who is next, and stays in the queue. */
  peek(): Entry | undefined {
    return this.#nextQueue[0];
  }

  /** Takes the next entry out of the queue; it may send its deficit, and is added again for more. */
  next(): Entry | undefined {
    const queue = this.#nextQueue;
    const isPromptTurn = queue === this.#prompt;
    this.#run = isPromptTurn ? this.#run + 1 : 0;
    const entry = queue.shift();
    if (!entry) return undefined;
    const { turn } = entry;
    turn.isQueued = false;
    if (isPromptTurn) turn.deficit = TURN_BYTES;
    else if (turn.deficit <= 0) turn.deficit += TURN_BYTES;
    return entry;
  }

  get #nextQueue(): Entry[] {
    const isBulkTurn = this.#prompt.length === 0 || (this.#run >= PROMPT_RUN && !this.#isBulkEmpty);
    if (!isBulkTurn) return this.#prompt;
    return this.#unfinished.length > 0 ? this.#unfinished : this.#bulk;
  }

  /** Counts what an entry sent in its turn. */
  served({ turn }: Entry, bytes: number): void {
    turn.bytes += bytes;
    // Who had it all to itself owes nothing to those who come.
    turn.deficit = Math.max(-OVER_BYTES, turn.deficit - bytes);
    this.#soleBytes = turn === this.#last ? this.#soleBytes + bytes : bytes;
    this.#last = turn;
  }
}
