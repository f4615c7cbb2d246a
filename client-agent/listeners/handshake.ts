import type { ByteChannel } from "../../protocol/channel.ts";
import type { ExactReader } from "../../protocol/exact-reader.ts";

/** A handshake without I/O: it yields what it wants next, and takes what it has waited for. */
export type Handshake<Result> = Generator<Step, Result, Arrived>;
export type Step =
  /** Bytes that must be there before it goes on. */
  | { readonly read: number }
  | { readonly write: Uint8Array }
  /** Something that takes its time, and stops when the signal says that the client has gone. */
  | { readonly check: (signal: AbortSignal) => Promise<void> };
/** What is there of the client's bytes. */
export type Arrived = Pick<ExactReader, "u8" | "take">;

const ONE_BYTE: Step = { read: 1 };
const TWO_BYTES: Step = { read: 2 };

export function* bytes(length: number): Handshake<Uint8Array> {
  return length === 0 ? new Uint8Array() : (yield { read: length }).take(length);
}

export function* uint8(): Handshake<number> {
  return (yield ONE_BYTE).u8();
}

export function* uint16(): Handshake<number> {
  const arrived = yield TWO_BYTES;
  return arrived.u8() * 256 + arrived.u8();
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
  let step = handshake.next(reader);
  while (!step.done) {
    if ("write" in step.value) await client.write(step.value.write);
    else if ("check" in step.value) await step.value.check(signalOf(client));
    // Most of a handshake is there at once, and a turn of the microtask queue for each byte adds up.
    else if (!reader.has(step.value.read)) await reader.fill(step.value.read);
    step = handshake.next(reader);
  }
  return step.value;
}

/** Aborts when the client breaks off, or its time for the handshake is over. */
function signalOf(client: ByteChannel): AbortSignal {
  const leaving = new AbortController();
  client.onceFailed((reason) => leaving.abort(reason));
  return leaving.signal;
}
