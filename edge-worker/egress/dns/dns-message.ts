import { hostOfOctets } from "../../../protocol/address.ts";
import { ByteReader, ByteWriter } from "../../../protocol/bytes.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import { decodeName, encodeName } from "./dns-name.ts";

/** Types of RFC 1035 section 3.2.2, RFC 3596 and RFC 6891, as far as they mean something here. */
export const RecordType = { A: 1, CNAME: 5, SOA: 6, PTR: 12, AAAA: 28, OPT: 41 } as const;
const CLASS_IN = 1;

/** RCODEs of RFC 1035 section 4.1.1. */
export const Rcode = { NoError: 0, FormatError: 1, ServerFailure: 2, NameError: 3 } as const;

/** Bits of the header's third and fourth octet (RFC 1035 section 4.1.1). */
const Flag = { Response: 0x8000, Truncated: 0x0200, RecursionDesired: 0x0100 } as const;
const RECURSION_AVAILABLE = 0x0080;
const OPCODE_MASK = 0x7800;

/** RFC 1035 section 4.1.1: id, flags and four counts. */
export const DNS_HEADER_LENGTH = 12;

export interface DnsQuestion {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface DnsRecord extends DnsQuestion {
  readonly ttlSeconds: number;
  /** What A, AAAA, CNAME and PTR hold; undefined for other types. */
  readonly text: string | undefined;
  readonly data: Uint8Array;
}

/** The header, and the one question that a message must have. */
export interface DnsHead {
  readonly id: number;
  readonly isResponse: boolean;
  readonly rcode: number;
  readonly question: DnsQuestion;
  /** Where the question ends. */
  readonly end: number;
}

export interface DnsMessage extends DnsHead {
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/**
 * Reads the header and the question. Messages with another number of questions, or with another
 * opcode than QUERY, are refused: there is nothing to tell answers by.
 *
 *   +----+-------+---------+---------+---------+---------+----------+
 *   | id | flags | qdcount | ancount | nscount | arcount | question |
 *   |u16 |  u16  |   u16   |   u16   |   u16   |   u16   | variable |
 *   +----+-------+---------+---------+---------+---------+----------+
 */
export function decodeDnsHead(bytes: Uint8Array): DnsHead {
  return readHead(new ByteReader(bytes), bytes).head;
}

/** The inverse of encodeQuery() and encodeAnswer(). @throws ProtocolError */
export function decodeDnsMessage(bytes: Uint8Array): DnsMessage {
  const reader = new ByteReader(bytes);
  const { head, counts } = readHead(reader, bytes);
  const [answers, authorities, additionals] = counts.map((count) =>
    Array.from({ length: count }, () => readRecord(reader, bytes)),
  );
  return {
    ...head,
    answers: answers ?? [],
    authorities: authorities ?? [],
    additionals: additionals ?? [],
  };
}

/** A query for one name, with recursion desired. @throws ProtocolError for a name DNS cannot carry */
export function encodeQuery(id: number, name: string, type: number): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.u16(id).u16(Flag.RecursionDesired).u16(1).u16(0).u16(0).u16(0);
  encodeName(writer, name);
  return writer.u16(type).u16(CLASS_IN).take();
}

/** A record of a response, which is about the name that was asked for. */
export interface DnsAnswerData {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly data: Uint8Array;
}

/** The response to `query`. */
export function encodeAnswer(
  query: Uint8Array,
  rcode: number,
  answers: readonly DnsAnswerData[] = [],
): Uint8Array<ArrayBuffer> {
  const { id, end } = decodeDnsHead(query);
  const writer = new ByteWriter();
  const flags = Flag.Response | Flag.RecursionDesired | RECURSION_AVAILABLE | rcode;
  writer.u16(id).u16(flags).u16(1).u16(answers.length).u16(0).u16(0);
  writer.bytes(query.subarray(DNS_HEADER_LENGTH, end));
  for (const { type, ttlSeconds, data } of answers) {
    // A pointer to the question's name.
    writer
      .u16(0xc000 | DNS_HEADER_LENGTH)
      .u16(type)
      .u16(CLASS_IN)
      .u32(ttlSeconds);
    writer.u16(data.length).bytes(data);
  }
  return writer.take();
}

/** A domain name as the data of a record. */
export function encodeNameData(name: string): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  encodeName(writer, name);
  return writer.take();
}

/** The response without its records, and with TC: "ask again by TCP" (RFC 2181 section 9). */
export function truncated(response: Uint8Array): Uint8Array<ArrayBuffer> {
  const cut = response.slice(0, decodeDnsHead(response).end);
  const view = new DataView(cut.buffer);
  view.setUint16(2, view.getUint16(2) | Flag.Truncated);
  for (const count of [6, 8, 10]) view.setUint16(count, 0);
  return cut;
}

function readHead(
  reader: ByteReader,
  bytes: Uint8Array,
): { readonly head: DnsHead; readonly counts: readonly number[] } {
  const id = reader.u16();
  const flags = reader.u16();
  if ((flags & OPCODE_MASK) !== 0) throw malformed("it is no query");
  if (reader.u16() !== 1) throw malformed("it has not one question");
  const counts = [reader.u16(), reader.u16(), reader.u16()];
  const question = readQuestion(reader, bytes);
  const isResponse = (flags & Flag.Response) !== 0;
  const head = { id, isResponse, rcode: flags & 0x000f, question };
  return { head: { ...head, end: bytes.length - reader.remaining }, counts };
}

function readQuestion(reader: ByteReader, bytes: Uint8Array): DnsQuestion {
  return { name: decodeName(reader, bytes), type: reader.u16(), class: reader.u16() };
}

function readRecord(reader: ByteReader, bytes: Uint8Array): DnsRecord {
  const question = readQuestion(reader, bytes);
  const ttlSeconds = reader.u32();
  const data = reader.bytes(reader.u16());
  const end = bytes.length - reader.remaining;
  return {
    ...question,
    ttlSeconds,
    text: textOf(question.type, data, bytes.subarray(0, end)),
    data,
  };
}

/** `upToHere` is the message as far as this record: its data may point into that, and not beyond. */
function textOf(type: number, data: Uint8Array, upToHere: Uint8Array): string | undefined {
  switch (type) {
    case RecordType.A:
      return data.length === 4 ? hostOfOctets(data).host : undefined;
    case RecordType.AAAA:
      return data.length === 16 ? hostOfOctets(data).host : undefined;
    case RecordType.CNAME:
    case RecordType.PTR:
      return decodeName(new ByteReader(data), upToHere);
    default:
      return undefined;
  }
}

function malformed(why: string): ProtocolError {
  return new ProtocolError("ERR_FRAME_FIELD", `Cannot decode a DNS message: ${why}`);
}
