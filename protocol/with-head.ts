import type { ByteChannel } from "./channel.ts";

/** A channel that reads `head` first. A relay of it need not wait for that to be taken. */
export function withHead(
  head: Uint8Array | Promise<Uint8Array | null>,
  channel: ByteChannel,
): ByteChannel {
  let isRead = false;
  return {
    read: () => {
      if (isRead) return channel.read();
      isRead = true;
      return Promise.resolve(head);
    },
    write: (chunk) => channel.write(chunk),
    end: () => channel.end(),
    abort: (reason) => channel.abort(reason),
    onceFailed: (callback) => channel.onceFailed(callback),
  };
}
