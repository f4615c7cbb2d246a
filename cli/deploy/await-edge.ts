import { type Clock, pause } from "../../protocol/clock.ts";
import { EdgesocksError, messageOf } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";

/** How an edge that has just been put up is asked. Both reject while it is not what it should be. */
export interface EdgeProbe<Greeting> {
  /** Resolves once /healthz says "ok". */
  readonly health: (signal: AbortSignal) => Promise<void>;
  /** Resolves with what the edge says of itself, once it has let us in. */
  readonly greet: (signal: AbortSignal) => Promise<Greeting>;
}

export interface AwaitOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** For both steps together. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The edge as people know it. */
  readonly edge: string;
}

const POLL_MS = 2000;

/**
 * Asks again and again until the edge is healthy and lets us in. A new name takes minutes to be
 * known everywhere, and a new secret some seconds. @throws EdgesocksError ERR_DEPLOY in the end
 */
export async function awaitEdge<Greeting>(
  { health, greet }: EdgeProbe<Greeting>,
  options: AwaitOptions,
): Promise<Greeting> {
  const deadline = options.clock.now() + options.timeoutMs;
  await until("be healthy", health, deadline, options);
  return until("let us in", greet, deadline, options);
}

async function until<Result>(
  what: string,
  ask: (signal: AbortSignal) => Promise<Result>,
  deadline: number,
  { clock, log, timeoutMs, signal, edge }: AwaitOptions,
): Promise<Result> {
  let lastFailure = "";
  for (;;) {
    try {
      return await ask(signal);
    } catch (cause) {
      signal.throwIfAborted();
      const failure = messageOf(cause);
      if (clock.now() + POLL_MS > deadline) {
        const text = `Cannot see ${edge} ${what} within ${timeoutMs / 1000} s: ${failure}`;
        throw new EdgesocksError("ERR_DEPLOY", text, { cause });
      }
      // Once for each reason: what stays the same is no news.
      if (failure !== lastFailure) log.info(`Waiting for ${edge} to ${what}: ${failure}`);
      lastFailure = failure;
      await pause(clock, POLL_MS, signal);
      signal.throwIfAborted();
    }
  }
}

/** Bytes of an answer that are looked at. */
const MAX_ANSWER = 1024;

/** Whether what answers at `url` is healthy. @throws Error that says what it answered */
export async function askHealth(url: URL, signal: AbortSignal): Promise<void> {
  const response = await fetchAnswer(url, signal);
  const text = await readStart(response);
  if (response.status !== 200) throw new Error(`${url.pathname} answered ${response.status}`);
  if (text.trim() !== "ok") throw new Error(`${url.pathname} answered something else than "ok"`);
}

async function fetchAnswer(url: URL, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { redirect: "manual", signal });
  } catch (cause) {
    // fetch() says only "fetch failed"; why is in its cause.
    const reason = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
    throw new Error(messageOf(reason) || "it cannot be reached", { cause });
  }
}

/** The first bytes of a body as text; the rest is not waited for. */
async function readStart({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_ANSWER) break;
  }
  return Buffer.concat(chunks).toString("utf8", 0, MAX_ANSWER);
}
