/** A stream's place in the order of turns. Owned by the stream, written by the scheduler only. */
export class Turn {
  isQueued = false;
  /** When the present span of counting began, and the bytes sent since. */
  since: number = -Infinity;
  bytes = 0;
}

/** Bytes a stream may send in one span and still count as small. */
const PROMPT_BYTES = 32_768;
/** Milliseconds after which a stream's count begins anew. */
const SPAN_MS = 100;
/** Prompt turns in a row after which a waiting bulk stream gets one. */
const PROMPT_RUN = 8;

/**
 * Whose turn it is to send. Streams that sent little of late (a keystroke, a request, a young
 * stream) go before bulk streams; each class is served round robin, one frame a turn, and bulk
 * is never starved: it gets every ninth turn at worst.
 */
export class Scheduler<Entry extends { readonly turn: Turn }> {
  readonly #prompt: Entry[] = [];
  readonly #bulk: Entry[] = [];
  #run = 0;

  get isEmpty(): boolean {
    return this.#prompt.length === 0 && this.#bulk.length === 0;
  }

  /** Queues an entry that has something to send; one already queued keeps its place. */
  add(entry: Entry, now: number): void {
    const { turn } = entry;
    if (turn.isQueued) return;
    if (now - turn.since > SPAN_MS) {
      turn.since = now;
      turn.bytes = 0;
    }
    turn.isQueued = true;
    (turn.bytes < PROMPT_BYTES ? this.#prompt : this.#bulk).push(entry);
  }

  /** Takes the next entry out of the queue; whoever has more to send is added again. */
  next(): Entry | undefined {
    const isBulkTurn =
      this.#prompt.length === 0 || (this.#run >= PROMPT_RUN && this.#bulk.length > 0);
    this.#run = isBulkTurn ? 0 : this.#run + 1;
    const entry = (isBulkTurn ? this.#bulk : this.#prompt).shift();
    if (entry) entry.turn.isQueued = false;
    return entry;
  }

  /** Counts what an entry sent in its turn. */
  served(entry: Entry, bytes: number): void {
    entry.turn.bytes += bytes;
  }
}
