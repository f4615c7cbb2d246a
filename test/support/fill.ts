import type { Socket } from "node:net";

const FULL_MS = 300;

/** Writes until nothing more is taken for a while: all that there is on the way is full then. */
export async function fill(socket: Socket): Promise<void> {
  const chunk = Buffer.alloc(65_536);
  while (await isTaken(socket, chunk));
}

/** Whether a chunk has gone to the kernel in time. */
function isTaken(socket: Socket, chunk: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), FULL_MS);
    socket.write(chunk, () => {
      clearTimeout(timer);
      setImmediate(() => resolve(true));
    });
  });
}
