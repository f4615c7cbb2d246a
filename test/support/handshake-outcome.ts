import { drive, type Handshake } from "../../client-agent/listeners/handshake.ts";
import { ExactReader } from "../../protocol/exact-reader.ts";
import { FakeChannel } from "./fake-channel.ts";
import { toHex } from "./hex.ts";

/** What a handshake came to, and what the client was told meanwhile. */
export interface Outcome<Result> {
  readonly result?: Result;
  readonly error?: unknown;
  /** Bytes behind the handshake's last one, in hex. */
  readonly rest: string;
  /** All that was answered, in hex. */
  readonly told: string;
}

/** Runs a handshake on a client that sends `chunks` and then ends. */
export async function outcomeOf<Result>(
  handshake: Handshake<Result>,
  chunks: readonly Uint8Array[],
): Promise<Outcome<Result>> {
  const client = new FakeChannel(...chunks);
  client.farEnd();
  const reader = new ExactReader(client);
  const settled = await drive(handshake, client, reader).then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
  // What is left may lie in the reader and in chunks that it has not asked for yet.
  const rest = [reader.rest.slice()];
  for (let chunk = await client.read(); chunk; chunk = await client.read())
    rest.push(chunk.slice());
  return { ...settled, rest: rest.map(toHex).join(""), told: toHex(client.written) };
}

/** `bytes` in chunks of `size`, the last one shorter. */
export function inChunks(bytes: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

/** `bytes` cut at each of `places`, which may lie beyond its end. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places)].filter((place) => place > 0 && place < bytes.length);
  const edges = [0, ...ends.toSorted((a, b) => a - b), bytes.length];
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i], end));
}

/** The sizes at which every handshake is cut. */
export const CHUNK_SIZES = [1, 2, 3, 5, Number.MAX_SAFE_INTEGER];
