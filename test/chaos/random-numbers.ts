/** The same numbers from 0 up to 1 for the same seed: mulberry32, which is in the public domain. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** `length` bytes of them, a multiple of four. */
export function randomBytesOf(random: () => number, length: number): Uint8Array {
  const numbers = Uint32Array.from({ length: length / 4 }, () => random() * 0x1_0000_0000);
  return new Uint8Array(numbers.buffer);
}
