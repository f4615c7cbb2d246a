/** Bytes from spaced hex, so that a test reads like the spec: hex("02 00 0004"). */
export function hex(text: string): Uint8Array<ArrayBuffer> {
  const pairs = text.replaceAll(/\s/g, "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

/** The inverse of hex(), without spaces. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
