import { ByteWriter } from "../../protocol/bytes.ts";
import { appendFrame, type Frame } from "../../protocol/frame.ts";
import { FrameType } from "../../protocol/wire.ts";
import { hex, toHex } from "./hex.ts";

/** A frame as PROTOCOL.md appendix A writes it: the type by name, byte fields in hex. */
export type FrameJson = Readonly<Record<string, unknown>> & { readonly type: string };

/** Byte fields of any frame, and of the HELLO in one. */
const BYTE_FIELDS: ReadonlySet<string> = new Set(["stamp", "early", "bytes", "session"]);
const nameOf = new Map<number, string>(
  Object.entries(FrameType).map(([name, type]) => [type, name]),
);

export function jsonOfFrame(frame: Frame): FrameJson {
  const plain = spell(frame) as Record<string, unknown>;
  return { ...plain, type: nameOf.get(frame.type) ?? "?" };
}

export function frameOfJson(json: FrameJson): Frame {
  const plain = unspell(json) as Record<string, unknown>;
  return { ...plain, type: FrameType[json.type as keyof typeof FrameType] } as Frame;
}

/** One message of these frames. */
export function encodeFrames(...frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  for (const frame of frames) appendFrame(writer, frame);
  return writer.take();
}

function spell(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(spell);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, spell(inner)]));
}

function unspell(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unspell);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] =>
    BYTE_FIELDS.has(key) && typeof inner === "string" ? [key, hex(inner)] : [key, unspell(inner)],
  );
  return Object.fromEntries(entries);
}
