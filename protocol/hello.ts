import { ByteReader, ByteWriter, encodeText } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { HelloParameter, MAX_SESSION_TOKEN, MAX_TEXT, PROTOCOL_VERSION } from "./wire.ts";

/** What one end says of itself when a carrier begins (PROTOCOL.md section 4.1). */
export interface Hello {
  readonly version: number;
  /** Credit of each new stream that the peer may send, in bytes. */
  readonly streamWindow: number;
  /** Credit of all streams together, in bytes. */
  readonly sessionWindow: number;
  /** DATA bytes that the peer may have in flight on this carrier. */
  readonly carrierWindow: number;
  readonly maxStreams: number;
  readonly maxCarriers: number;
  /** Bits of `Capability`. */
  readonly capabilities: number;
  /** Agent: the session to join, empty for a new one. Edge: what the next carrier joins it by. */
  readonly session: Uint8Array;
  /** Seconds that a session outlives its last carrier; 0 when it ends with it. */
  readonly resumeWindow: number;
  readonly runtime: string;
  readonly place: string;
  /** Milliseconds, or 0 for "never", after which the sender hands this carrier over. */
  readonly maxAge: number;
  /** Streams, or 0 for "never", after which the sender hands this carrier over. */
  readonly maxOpens: number;
  /** Agent: the number of this carrier in its session, from 1 on; 0 when nothing is resumed. */
  readonly carrier: number;
  /** Payload bytes, both ways, or 0 for "never", after which the sender hands this carrier over. */
  readonly maxBytes: number;
}

/** A HELLO that says nothing but its version: what each parameter is when it is left out. */
export const emptyHello: Hello = {
  version: PROTOCOL_VERSION,
  streamWindow: 0,
  sessionWindow: 0,
  carrierWindow: 0,
  maxStreams: 0,
  maxCarriers: 1,
  capabilities: 0,
  session: new Uint8Array(),
  resumeWindow: 0,
  runtime: "",
  place: "",
  maxAge: 0,
  maxOpens: 0,
  carrier: 0,
  maxBytes: 0,
};

type Field = Exclude<keyof Hello, "version">;

interface FieldCodec {
  readonly id: HelloParameter;
  readonly type: "u8" | "u32" | "u64" | "text" | "token";
}

const codecs: Readonly<Record<Field, FieldCodec>> = {
  streamWindow: { id: HelloParameter.StreamWindow, type: "u32" },
  sessionWindow: { id: HelloParameter.SessionWindow, type: "u64" },
  carrierWindow: { id: HelloParameter.CarrierWindow, type: "u32" },
  maxStreams: { id: HelloParameter.MaxStreams, type: "u32" },
  maxCarriers: { id: HelloParameter.MaxCarriers, type: "u8" },
  capabilities: { id: HelloParameter.Capabilities, type: "u32" },
  session: { id: HelloParameter.Session, type: "token" },
  resumeWindow: { id: HelloParameter.ResumeWindow, type: "u32" },
  runtime: { id: HelloParameter.Runtime, type: "text" },
  place: { id: HelloParameter.Place, type: "text" },
  maxAge: { id: HelloParameter.MaxAge, type: "u32" },
  maxOpens: { id: HelloParameter.MaxOpens, type: "u32" },
  carrier: { id: HelloParameter.Carrier, type: "u32" },
  maxBytes: { id: HelloParameter.MaxBytes, type: "u64" },
};
const fields = Object.keys(codecs) as Field[];
const fieldById = new Map<number, Field>(fields.map((field) => [codecs[field].id, field]));

/**
 * A HELLO payload: the version, then parameters in any order, each at most once.
 *
 *   +---------+   +------+--------+----------+
 *   | version |   |  id  | length |  value   |
 *   |   u8    |   |  u8  |  u16   | `length` |  ...
 *   +---------+   +------+--------+----------+
 */
export function encodeHello(writer: ByteWriter, hello: Hello): void {
  writer.u8(hello.version);
  for (const field of fields) {
    const value = encodeValue(codecs[field].type, hello[field]);
    if (value.length > 0) writer.u8(codecs[field].id).u16(value.length).bytes(value);
  }
}

/** The inverse of encodeHello(); unknown parameters are passed over. */
export function decodeHello(payload: Uint8Array): Hello {
  const reader = new ByteReader(payload);
  const hello: Record<string, unknown> = { ...emptyHello, version: reader.u8() };
  const seen = new Set<number>();
  while (reader.remaining > 0) {
    const id = reader.u8();
    const value = new ByteReader(reader.bytes(reader.u16()));
    if (seen.has(id))
      throw new ProtocolError("ERR_FRAME_FIELD", `Cannot take HELLO: ${id} is twice`);
    seen.add(id);
    const field = fieldById.get(id);
    if (field === undefined) continue;
    hello[field] = decodeValue(codecs[field].type, value);
    value.end();
  }
  return hello as unknown as Hello;
}

function encodeValue(type: FieldCodec["type"], value: string | number | Uint8Array): Uint8Array {
  if (typeof value === "string") return encodeText(value, MAX_TEXT);
  if (typeof value !== "number") return value;
  const writer = new ByteWriter();
  if (type === "u8") writer.u8(value);
  else if (type === "u64") writer.u64(value);
  else writer.u32(value);
  return writer.take();
}

function decodeValue(type: FieldCodec["type"], value: ByteReader): string | number | Uint8Array {
  switch (type) {
    case "u8":
      return value.u8();
    case "u32":
      return value.u32();
    case "u64":
      return value.u64();
    case "text":
      return value.text(atMost(value.remaining, MAX_TEXT));
    case "token":
      // Copied: a session keeps its token long after the message it came in.
      return value.bytes(atMost(value.remaining, MAX_SESSION_TOKEN)).slice();
  }
}

function atMost(length: number, limit: number): number {
  if (length <= limit) return length;
  throw new ProtocolError("ERR_FRAME_FIELD", `Cannot take HELLO: ${length} bytes exceed ${limit}`);
}
