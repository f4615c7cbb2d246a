import { number, object } from "valibot";
import type { Turn } from "./measurement.ts";

const result = object({
  bytes: number(),
  seconds: number(),
  allBytes: number(),
  lostBytes: number(),
});

/** Streams that move as fast as they can. */
export type Bulk = Readonly<{
  command: "download" | "upload";
  streams: number;
  /** Of one write by whoever sends an upload. */
  writeBytes?: number;
  warmMs?: number;
  windowMs?: number;
}>;

/** Megabytes a second within the window, and gigabytes from the first byte to the last. */
export async function moveBytes({ load, pace, note }: Turn, bulk: Bulk) {
  const { bytes, seconds, allBytes, lostBytes } = await load.run(
    bulk.command,
    {
      streams: bulk.streams,
      warm: bulk.warmMs ?? pace.warmMs,
      window: bulk.windowMs ?? pace.windowMs,
      ...(bulk.writeBytes !== undefined && { write: bulk.writeBytes }),
    },
    result,
  );
  if (lostBytes > 0) note(`${lostBytes} bytes never arrived, though no stream broke`);
  return { speed: bytes / seconds / 1e6, gigabytes: allBytes / 1e9 };
}
