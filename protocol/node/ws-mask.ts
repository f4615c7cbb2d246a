import { createRequire } from "node:module";

/** XORs each byte with the masking key, in place (RFC 6455 section 5.3). */
export type ApplyMask = (bytes: Uint8Array, mask: Uint8Array) => void;

/**
 * By the optional package `bufferutil`, which takes a fifth of the time, or else by this file: it
 * has no binary for every platform.
 */
export const applyMask: ApplyMask = loadNative() ?? maskByWords;

/** Below this a view of words is not worth making. */
const MIN_WORDS_BYTES = 32;

/**
 * The same in JavaScript, by four words in a row: word by word it takes 2.5 times as long, byte by
 * byte 17 times.
 */
export function maskByWords(bytes: Uint8Array, mask: Uint8Array): void {
  if (bytes.length < MIN_WORDS_BYTES) return maskByBytes(bytes, mask, 0, bytes.length);
  const start = -bytes.byteOffset & 3;
  const count = (bytes.length - start) >>> 2;
  // Signed words: an XOR gives one, and nothing has to be turned into an unsigned number.
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + start, count);
  // The key as a word sees it, which begins `start` bytes into it.
  const turned = Uint8Array.from({ length: 4 }, (_, i) => mask[(start + i) & 3] ?? 0);
  const [key = 0] = new Int32Array(turned.buffer);
  const inFours = count & ~3;
  maskByBytes(bytes, mask, 0, start);
  for (let i = 0; i < inFours; i += 4) {
    words[i] = (words[i] ?? 0) ^ key;
    words[i + 1] = (words[i + 1] ?? 0) ^ key;
    words[i + 2] = (words[i + 2] ?? 0) ^ key;
    words[i + 3] = (words[i + 3] ?? 0) ^ key;
  }
  maskByBytes(bytes, mask, start + inFours * 4, bytes.length);
}

function maskByBytes(bytes: Uint8Array, mask: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i++) bytes[i] = (bytes[i] ?? 0) ^ (mask[i & 3] ?? 0);
}

function loadNative(): ApplyMask | undefined {
  try {
    const { unmask } = createRequire(import.meta.url)("bufferutil") as { unmask: ApplyMask };
    return unmask;
  } catch {
    return undefined;
  }
}
