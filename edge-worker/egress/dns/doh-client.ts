import type { Clock } from "../../../protocol/clock.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { decodeDnsHead, type DnsHead } from "./dns-message.ts";

/** What of a response an exchange reads. */
export interface FetchedBody {
  readonly status: number;
  readonly body: {
    getReader(): {
      /** No value means that this was all. */
      read(): Promise<{ readonly value?: Uint8Array | undefined }>;
      cancel(): Promise<void>;
    };
  } | null;
}

/** What of fetch() an exchange needs; the platform's own, or one that reaches the resolver alone. */
export type Fetch = (
  url: string,
  init: {
    readonly method: "POST";
    readonly headers: Record<string, string>;
    readonly body: Uint8Array<ArrayBuffer>;
    readonly signal: AbortSignal;
  },
) => Promise<FetchedBody>;

export interface DohOptions {
  readonly clock: Clock;
  readonly fetcher?: Fetch | undefined;
}

const MEDIA_TYPE = "application/dns-message";
const TIMEOUT_MS = 3000;
/** What a DNS message can have by TCP (RFC 1035 section 4.2.2), and so by HTTPS. */
const MAX_MESSAGE = 65_535;

/**
 * One exchange with a DNS-over-HTTPS resolver (RFC 8484). The response is about the question that
 * was asked, and otherwise as the resolver gave it.
 *
 * @throws StreamError when no such response came within 3 s
 */
export async function exchangeByHttps(
  url: string,
  query: Uint8Array,
  { clock, fetcher = fetch }: DohOptions,
): Promise<Uint8Array> {
  const ending = new AbortController();
  const cancelTimer = clock.after(TIMEOUT_MS, () => ending.abort(silent()));
  try {
    const { id, question } = decodeDnsHead(query);
    // RFC 8484 section 4.1: the same id in all queries, so that caches on the way can be used.
    const body = withId(query, 0);
    const headers = { accept: MEDIA_TYPE, "content-type": MEDIA_TYPE };
    const init = { method: "POST", headers, body, signal: ending.signal } as const;
    const asking = fetcher(url, init).then(readBody);
    const response = await Promise.race([asking, rejection(ending.signal)]);
    if (isAbout(decodeDnsHead(response), question)) return withId(response, id);
    throw new StreamError("host-unreachable", "Cannot ask the resolver: it answered otherwise");
  } catch (cause) {
    if (cause instanceof StreamError) throw cause;
    const text = "Cannot ask the resolver: it gave no answer";
    throw new StreamError("host-unreachable", text, { cause });
  } finally {
    cancelTimer();
  }
}

/** A copy of a message with another id. */
export function withId(message: Uint8Array, id: number): Uint8Array<ArrayBuffer> {
  const copy = message.slice();
  new DataView(copy.buffer).setUint16(0, id);
  return copy;
}

/** Whether a message is a response to this question; names are compared as DNS does. */
export function isAbout(head: DnsHead, question: DnsHead["question"]): boolean {
  return head.isResponse && keyOf(head.question) === keyOf(question);
}

function keyOf({ name, type, class: recordClass }: DnsHead["question"]): string {
  return `${name.toLowerCase()} ${type} ${recordClass}`;
}

async function readBody({ status, body }: FetchedBody): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body?.getReader();
  for (let piece = await reader?.read(); piece?.value; piece = await reader?.read()) {
    chunks.push(piece.value);
    length += piece.value.length;
    if (length <= MAX_MESSAGE && status === 200) continue;
    await reader?.cancel();
    throw new StreamError("host-unreachable", "Cannot ask the resolver: its answer is no DNS");
  }
  const message = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    message.set(chunk, at);
    at += chunk.length;
  }
  return message;
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

function silent(): StreamError {
  const text = `Cannot ask the resolver: no answer within ${TIMEOUT_MS / 1000} s`;
  return new StreamError("host-unreachable", text);
}
