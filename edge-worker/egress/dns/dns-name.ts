import type { ByteReader, ByteWriter } from "../../../protocol/bytes.ts";
import { ProtocolError } from "../../../protocol/errors.ts";

/** RFC 1035 section 2.3.4: a name on the wire, its last length octet included. */
const MAX_NAME = 255;
const MAX_LABEL = 63;
/** RFC 1035 section 4.1.4: the two high bits of a length say that an offset follows. */
const POINTER = 0xc0;
/** A pointer stands in the place of a label at least, and a name has 127 of them at most. */
const MAX_POINTERS = 127;

/** Writes a name without compression. @throws ProtocolError for one that DNS cannot carry */
export function encodeName(writer: ByteWriter, name: string): void {
  let length = 1;
  for (const label of name === "" ? [] : name.split(".")) {
    if (label === "" || label.length > MAX_LABEL || !/^[\x21-\x7e]+$/.test(label)) throw unusable();
    length += label.length + 1;
    writer.u8(label.length).bytes(Uint8Array.from(label, (character) => character.charCodeAt(0)));
  }
  if (length > MAX_NAME) throw unusable();
  writer.u8(0);
}

/**
 * Reads the name that `reader` stands at, and leaves it behind that name. Pointers lead into
 * `message`, and only ever backwards, so that every name ends. Octets that are no plain character
 * of a name are written as `\DDD` (RFC 1035 section 5.1).
 */
export function decodeName(reader: ByteReader, message: Uint8Array): string {
  const labels: string[] = [];
  let length = 1;
  const add = (label: Uint8Array): void => {
    length += label.length + 1;
    if (length > MAX_NAME) throw malformed("a name is too long");
    labels.push(Array.from(label, textOf).join(""));
  };
  let octet = reader.u8();
  for (; octet !== 0 && octet < POINTER; octet = reader.u8()) {
    if (octet > MAX_LABEL) throw malformed("a label is too long");
    add(reader.bytes(octet));
  }
  if (octet >= POINTER) {
    const here = message.length - reader.remaining - 1;
    follow(message, ((octet & ~POINTER) << 8) | reader.u8(), here, add);
  }
  return labels.join(".");
}

/** Adds the labels from `at` on; each pointer must lead to before the place where it stands. */
function follow(
  message: Uint8Array,
  at: number,
  pointerAt: number,
  add: (label: Uint8Array) => void,
): void {
  let limit = pointerAt;
  let next = at;
  for (let pointers = 1; pointers <= MAX_POINTERS; pointers++) {
    if (next >= limit) throw malformed("a pointer does not lead backwards");
    let octet = message[next];
    for (; octet !== undefined && octet > 0 && octet <= MAX_LABEL; octet = message[next]) {
      add(message.subarray(next + 1, next + 1 + octet));
      next += 1 + octet;
    }
    if (octet === 0) return;
    if (octet === undefined || octet < POINTER) throw malformed("a pointer leads to no name");
    limit = next;
    next = ((octet & ~POINTER) << 8) | (message[next + 1] ?? 0xff);
  }
  throw malformed("a name has too many pointers");
}

function textOf(octet: number): string {
  const isPlain = octet > 0x20 && octet < 0x7f && octet !== 0x2e && octet !== 0x5c;
  return isPlain ? String.fromCharCode(octet) : `\\${String(octet).padStart(3, "0")}`;
}

function malformed(why: string): ProtocolError {
  return new ProtocolError("ERR_FRAME_FIELD", `Cannot decode a DNS message: ${why}`);
}

function unusable(): ProtocolError {
  return new ProtocolError("ERR_FRAME_FIELD", "Cannot encode a DNS message: no name for DNS");
}
