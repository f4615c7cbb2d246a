import type { FrameJson } from "./frame-json.ts";
import { toHex } from "./hex.ts";

/*
 * The judge of protocol/frame.ts: PROTOCOL.md sections 3 to 5 written down a second time, slowly
 * and without a line of the code under test. Numbers are repeated here on purpose.
 */

const REASONS =
  "general connection-refused host-unreachable network-unreachable name-not-found timed-out denied command-unsupported address-unsupported quota-exceeded edge-unavailable connection-reset cancelled platform-blocked".split(
    " ",
  );
const HELLO_FIELDS: Readonly<Record<number, readonly [field: string, type: string]>> = {
  1: ["streamWindow", "4"],
  2: ["sessionWindow", "8"],
  3: ["carrierWindow", "4"],
  4: ["maxStreams", "4"],
  5: ["maxCarriers", "1"],
  6: ["capabilities", "4"],
  7: ["session", "token"],
  8: ["resumeWindow", "4"],
  9: ["runtime", "text"],
  10: ["place", "text"],
  11: ["maxAge", "4"],
  12: ["maxOpens", "4"],
  13: ["carrier", "4"],
  14: ["maxBytes", "8"],
};

class Invalid extends Error {}

/** Takes bytes off the front of an array. */
class Bytes {
  #rest: number[];

  constructor(bytes: Iterable<number>) {
    this.#rest = [...bytes];
  }

  get left(): number {
    return this.#rest.length;
  }

  take(count: number): number[] {
    if (count > this.left) throw new Invalid("too short");
    return this.#rest.splice(0, count);
  }

  number(size: number): number {
    const value = this.take(size).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    if (value > 2n ** 53n - 1n) throw new Invalid("too large");
    return Number(value);
  }

  hex(count: number): string {
    return toHex(Uint8Array.from(this.take(count)));
  }

  text(count: number, limit: number): string {
    if (count > limit) throw new Invalid("too long");
    const bytes = this.take(count);
    // Percent-decoding is a UTF-8 decoder that owes nothing to TextDecoder.
    try {
      return decodeURIComponent(bytes.map((b) => `%${b.toString(16).padStart(2, "0")}`).join(""));
    } catch {
      throw new Invalid("not UTF-8");
    }
  }
}

/** The frames of a message as JSON, or undefined when the message is a violation. */
export function decodeNaively(message: Uint8Array): FrameJson[] | undefined {
  if (message.length > 1_048_576) return undefined;
  const bytes = new Bytes(message);
  const frames: FrameJson[] = [];
  try {
    while (bytes.left > 0) frames.push(frameOf(bytes));
    return frames;
  } catch (error) {
    if (error instanceof Invalid) return undefined;
    throw error;
  }
}

function frameOf(message: Bytes): FrameJson {
  const type = message.number(1);
  const length = message.number(3);
  const streamId = message.number(4);
  if (length > 262_144) throw new Invalid("payload");
  const payload = new Bytes(message.take(length));
  const isOfSession = type <= 0x06;
  if (type !== 0x16 && isOfSession !== (streamId === 0)) throw new Invalid("stream id");
  const frame = fieldsOf(type, payload);
  if (payload.left > 0) throw new Invalid("too long");
  return isOfSession ? frame : { ...frame, streamId };
}

function fieldsOf(type: number, p: Bytes): FrameJson {
  if (type === 0x01) return { type: "Hello", hello: helloOf(p) };
  if (type === 0x02) return { type: "Ping", stamp: p.hex(8) };
  if (type === 0x03) return { type: "Pong", stamp: p.hex(8) };
  if (type === 0x04) {
    return { type: "GoAway", reason: p.number(1), drainMs: p.number(4), text: p.text(p.left, 255) };
  }
  if (type === 0x05) return { type: "Resume", entries: entriesOf(p) };
  if (type === 0x06) return { type: "Ack", received: p.number(8), frames: p.number(8) };
  if (type === 0x10) {
    return { type: "Open", command: p.number(1), address: addressOf(p), early: p.hex(p.left) };
  }
  if (type === 0x11) return { type: "Opened", bound: addressOf(p) };
  if (type === 0x12) return { type: "Failed", reason: reasonOf(p), text: p.text(p.left, 255) };
  if (type === 0x13) return { type: "Data", bytes: p.hex(p.left) };
  if (type === 0x14) return { type: "Fin", finalOffset: p.number(8) };
  if (type === 0x15) return { type: "Reset", reason: reasonOf(p) };
  if (type === 0x16) return { type: "Credit", received: p.number(8), limit: p.number(8) };
  if (type === 0x17) {
    const address = addressOf(p);
    if (p.left > 65_507) throw new Invalid("datagram");
    return { type: "Datagram", address, bytes: p.hex(p.left) };
  }
  throw new Invalid("type");
}

function reasonOf(p: Bytes): string {
  return REASONS[p.number(1)] ?? "general";
}

function entriesOf(p: Bytes): unknown[] {
  const entries: unknown[] = [];
  while (p.left > 0) {
    if (entries.length === 256) throw new Invalid("entry");
    entries.push({ carrier: p.number(4), received: p.number(8) });
  }
  return entries;
}

function helloOf(p: Bytes): Record<string, unknown> {
  const hello: Record<string, unknown> = { version: p.number(1) };
  for (const [field, type] of Object.values(HELLO_FIELDS)) {
    hello[field] = type === "text" || type === "token" ? "" : 0;
  }
  hello["maxCarriers"] = 1;
  const seen: number[] = [];
  while (p.left > 0) {
    const id = p.number(1);
    const value = new Bytes(p.take(p.number(2)));
    if (seen.includes(id)) throw new Invalid("twice");
    seen.push(id);
    const [field, type] = HELLO_FIELDS[id] ?? ["", ""];
    if (field === "") continue;
    if (type === "token" && value.left > 64) throw new Invalid("token");
    if (type === "token") hello[field] = value.hex(value.left);
    else if (type === "text") hello[field] = value.text(value.left, 255);
    else hello[field] = value.number(Number(type));
    if (value.left > 0) throw new Invalid("parameter");
  }
  return hello;
}

function addressOf(p: Bytes): Record<string, unknown> {
  const type = p.number(1);
  if (type === 1) return { kind: "ipv4", host: p.take(4).join("."), port: p.number(2) };
  if (type === 4) return { kind: "ipv6", host: ipv6Of(p), port: p.number(2) };
  if (type === 3)
    return { kind: "name", host: nameOf(p.text(p.number(1), 255)), port: p.number(2) };
  throw new Invalid("address type");
}

/** RFC 5952 section 4: the first longest run of at least two zero groups becomes "::". */
function ipv6Of(p: Bytes): string {
  const groups = Array.from({ length: 8 }, () => p.number(2).toString(16));
  for (let run = 8; run >= 2; run--) {
    for (let at = 0; at + run <= 8; at++) {
      if (groups.slice(at, at + run).some((group) => group !== "0")) continue;
      return `${groups.slice(0, at).join(":")}::${groups.slice(at + run).join(":")}`;
    }
  }
  return groups.join(":");
}

/** Section 5. Names of A-labels are only looked at from outside: this is no IDNA library. */
function nameOf(name: string): string {
  const labels = name.split(".");
  const last = labels.at(-1) ?? "";
  const isNumber = /^[0-9]+$/.test(last) || /^0x[0-9a-f]*$/.test(last);
  const isPlain = /^[!$&'()*+,\-.0-9;=_a-z~]+$/.test(name);
  const hasLabels = labels.every((label) => label.length > 0 && label.length <= 63);
  if (!isPlain || !hasLabels || isNumber || name.length > 253) throw new Invalid("name");
  return name;
}
