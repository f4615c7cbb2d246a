import type { ByteChannel } from "../../protocol/channel.ts";
import type { ExactReader } from "../../protocol/exact-reader.ts";

/** A handshake without I/O: it yields what it wants next and is handed the bytes it asked for. */
export type Handshake<Result> = Generator<Step, Result, Uint8Array>;
export type Step =
  | { readonly read: number }
  | { readonly write: Uint8Array }
  /** Something that takes its time, and stops when the signal says that the client has gone. */
  | { readonly check: (signal: AbortSignal) => Promise<void> };

export function* bytes(length: number): Handshake<Uint8Array> {
  return length === 0 ? new Uint8Array() : yield { read: length };
}

export function* uint8(): Handshake<number> {
  const [value = 0] = yield* bytes(1);
  return value;
}

export function* uint16(): Handshake<number> {
  const [high = 0, low = 0] = yield* bytes(2);
  return high * 256 + low;
}

export function* write(...values: readonly number[]): Handshake<void> {
  yield { write: Uint8Array.from(values) };
}

/** Waits for an answer that is not the client's. */
export function* ask<Answer>(
  question: (signal: AbortSignal) => Promise<Answer>,
  unanswered: Answer,
): Handshake<Answer> {
  let answer = unanswered;
  yield {
    check: async (signal) => {
      answer = await question(signal);
    },
  };
  return answer;
}

/** Runs a handshake over a channel: the one place where the parser meets I/O. */
export async function drive<Result>(
  handshake: Handshake<Result>,
  client: ByteChannel,
  reader: ExactReader,
): Promise<Result> {
  let step = handshake.next();
  while (!step.done) {
    if ("write" in step.value) {
      await client.write(step.value.write);
      step = handshake.next(new Uint8Array());
    } else if ("check" in step.value) {
      await step.value.check(signalOf(client));
      step = handshake.next(new Uint8Array());
    } else {
      const { read } = step.value;
      // Most of a handshake is there at once, and a turn of the microtask queue for each byte adds up.
      step = handshake.next(reader.takeNow(read) ?? (await reader.exactly(read)));
    }
  }
  return step.value;
}

/** Aborts when the client breaks off, or its time for the handshake is over. */
function signalOf(client: ByteChannel): AbortSignal {
  const leaving = new AbortController();
  client.onceFailed((reason) => leaving.abort(reason));
  return leaving.signal;
}
