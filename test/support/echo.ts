import type { Socket } from "node:net";
import { expect } from "vitest";
import { readExactly } from "./socks-client.ts";

const PIECE = 1000;

/** Says something to an echo that tells where it belongs, and takes it back. */
export async function echo(socket: Socket, fill: number, bytes = 10_000): Promise<void> {
  const sent = Buffer.alloc(bytes, (fill % 255) + 1);
  socket.write(sent);
  for (let at = 0; at < bytes; at += PIECE) {
    const piece = sent.subarray(at, at + PIECE);
    expect(piece.equals(await readExactly(socket, piece.length))).toBe(true);
  }
}
