import { StreamError } from "./errors.ts";
import type { Stream } from "./stream.ts";

/** Resets the streams that hold most, until at least `excess` bytes less are held by all of them. */
export function shed(streams: Iterable<Stream>, excess: number): void {
  if (excess <= 0) return;
  const holdings = Array.from(streams, (stream) => ({
    stream,
    bytes: stream.unread + stream.unsent,
  }));
  let rest = excess;
  for (const { stream, bytes } of holdings.toSorted((a, b) => b.bytes - a.bytes)) {
    if (rest <= 0) return;
    rest -= bytes;
    stream.abort(new StreamError("connection-reset", "Too much is held to wait for a carrier"));
  }
}
