import { type Address, encodeAddress, hostOfOctets, parseAddress } from "../../protocol/address.ts";
import { ByteReader, ByteWriter } from "../../protocol/bytes.ts";
import { AddressType } from "../../protocol/wire.ts";

/** A datagram as it travels between a SOCKS5 client and us. */
export interface UdpRequest {
  /** 0 for a whole datagram; else the position of this fragment, its top bit on the last one. */
  readonly fragment: number;
  readonly address: Address;
  /** A view into the datagram. */
  readonly bytes: Uint8Array;
}

/**
 * RFC 1928 section 7; undefined for what cannot be understood, which is dropped.
 *
 *   +-----+------+------+----------+----------+----------+
 *   | RSV | FRAG | ATYP | DST.ADDR | DST.PORT |   DATA   |
 *   | u16 |  u8  |  u8  | variable |   u16    | variable |
 *   +-----+------+------+----------+----------+----------+
 */
export function decodeUdpRequest(datagram: Uint8Array): UdpRequest | undefined {
  try {
    const reader = new ByteReader(datagram);
    reader.u16();
    const fragment = reader.u8();
    const address = parseAddress(hostOf(reader), reader.u16());
    return { fragment, address, bytes: reader.rest() };
  } catch {
    // Too short, an unknown ATYP, or no host: a datagram has no sender waiting for an error.
    return undefined;
  }
}

/** The datagram that tells a client where `bytes` came from. */
export function encodeUdpReply(from: Address, bytes: Uint8Array): Uint8Array {
  const writer = new ByteWriter(new ArrayBuffer(bytes.length + 64)).u16(0).u8(0);
  encodeAddress(writer, from);
  return writer.bytes(bytes).take();
}

function hostOf(reader: ByteReader): string {
  const type = reader.u8();
  switch (type) {
    case AddressType.Ipv4:
      return hostOfOctets(reader.bytes(4)).host;
    case AddressType.Ipv6:
      return hostOfOctets(reader.bytes(16)).host;
    case AddressType.Name:
      return reader.text(reader.u8());
    default:
      throw new RangeError(`Cannot decode address: ATYP is ${type}`);
  }
}
