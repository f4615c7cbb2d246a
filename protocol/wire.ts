/** Every number on the wire, and nothing else. PROTOCOL.md names the section of each. */

/** The version both HELLOs must state (PROTOCOL.md section 2.3). */
export const PROTOCOL_VERSION = 1;

/** Frame types (PROTOCOL.md section 4). Any other value ends the carrier with `ProtocolError`. */
export const FrameType = {
  /** First frame of each direction of a carrier: version, limits, capabilities. */
  Hello: 0x01,
  Ping: 0x02,
  Pong: 0x03,
  /** This carrier takes no new streams and ends soon, or at once when it names an error. */
  GoAway: 0x04,
  /** How much was received on carriers that are lost; what was not is sent again here. */
  Resume: 0x05,
  /** What was received on this carrier: the sender may send as much again, and forget it. */
  Ack: 0x06,
  Open: 0x10,
  Opened: 0x11,
  Failed: 0x12,
  Data: 0x13,
  Fin: 0x14,
  Reset: 0x15,
  Credit: 0x16,
  Datagram: 0x17,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** Frames whose stream id is 0; all others name a stream, CREDIT either (PROTOCOL.md section 3). */
export const SESSION_STREAM_ID = 0;

/** Frame header: type, 24-bit payload length, stream id (PROTOCOL.md section 3). */
export const HEADER_LENGTH = 8;
/** Largest payload of one frame. */
export const MAX_PAYLOAD = 262_144;
/** Largest WebSocket message: what a sender batches never exceeds it. */
export const MAX_MESSAGE = 1_048_576;
/** Largest payload of PING, which PONG echoes. */
export const PING_LENGTH = 8;

/** What OPEN asks of the edge; the numbers of RFC 1928 section 4 and Tor's socks-extensions. */
export const Command = {
  Connect: 0x01,
  Bind: 0x02,
  UdpAssociate: 0x03,
  Resolve: 0xf0,
  ResolvePtr: 0xf1,
} as const;
export type Command = (typeof Command)[keyof typeof Command];

/** Address types; the numbers of RFC 1928 section 5. */
export const AddressType = { Ipv4: 0x01, Name: 0x03, Ipv6: 0x04 } as const;
export type AddressType = (typeof AddressType)[keyof typeof AddressType];

/** Why a stream failed or was reset, as FAILED and RESET carry it (PROTOCOL.md section 8). */
export const ReasonNumber = {
  general: 0x00,
  "connection-refused": 0x01,
  "host-unreachable": 0x02,
  "network-unreachable": 0x03,
  "name-not-found": 0x04,
  "timed-out": 0x05,
  denied: 0x06,
  "command-unsupported": 0x07,
  "address-unsupported": 0x08,
  "quota-exceeded": 0x09,
  "edge-unavailable": 0x0a,
  "connection-reset": 0x0b,
  cancelled: 0x0c,
  "platform-blocked": 0x0d,
} as const;

/** Why a carrier ends (PROTOCOL.md section 9). */
export const GoAwayReason = {
  /** Planned: drain, move new streams elsewhere. */
  Drain: 0x00,
  ProtocolError: 0x01,
  Overloaded: 0x02,
  VersionMismatch: 0x03,
  /** The session that the HELLO wanted to join is not known here. */
  NoSuchSession: 0x04,
  /** The sender ends the session, with all its streams: there is nothing to resume. */
  SessionOver: 0x05,
} as const;
export type GoAwayReason = (typeof GoAwayReason)[keyof typeof GoAwayReason];

/** WebSocket close codes (RFC 6455 section 7.4; 4000 and up are ours). */
export const CloseCode = {
  Normal: 1000,
  GoingAway: 1001,
  ProtocolError: 1002,
  Unsupported: 1003,
  TooLarge: 1009,
  PingTimeout: 4000,
} as const;

/** Parameters of HELLO: id u8, length u16, value (PROTOCOL.md section 4.1). Unknown ids are ignored. */
export const HelloParameter = {
  /** u32: credit of a new stream, in bytes, that the sender of HELLO grants. */
  StreamWindow: 0x01,
  /** u64: credit of the session, in bytes. */
  SessionWindow: 0x02,
  /** u32: DATA bytes that may be in flight on this carrier without an ACK. */
  CarrierWindow: 0x03,
  /** u32: streams that may be open at once in the session. */
  MaxStreams: 0x04,
  /** u8: carriers that may be open at once in the session. */
  MaxCarriers: 0x05,
  /** u32: capability bits, below. */
  Capabilities: 0x06,
  /** bytes: session token; from the agent, the session to join, from the edge, for the next carrier. */
  Session: 0x07,
  /** u32: seconds a session is kept after its last carrier; 0 means streams die with their carrier. */
  ResumeWindow: 0x08,
  /** UTF-8: what runs the edge, "node" or "workerd". */
  Runtime: 0x09,
  /** UTF-8: where the edge runs, such as "AMS"; free text for people. */
  Place: 0x0a,
  /** u32: milliseconds after which the sender of HELLO expects to hand this carrier over; 0: never. */
  MaxAge: 0x0b,
  /** u32: streams after which the sender of HELLO hands this carrier over; 0: never. */
  MaxOpens: 0x0c,
  /** u32: from the agent, the number of this carrier in its session; 0 when nothing is resumed. */
  Carrier: 0x0d,
  /** u64: payload bytes, both ways, after which the sender hands this carrier over; 0: never. */
  MaxBytes: 0x0e,
} as const;
export type HelloParameter = (typeof HelloParameter)[keyof typeof HelloParameter];

/** Capability bits of HELLO: what the edge can relay. */
export const Capability = {
  Bind: 0x0000_0001,
  /** Any UDP. */
  UdpNative: 0x0000_0002,
  /** UDP to port 53 only. */
  UdpDns: 0x0000_0004,
  Resolve: 0x0000_0008,
} as const;

/** Longest session token. */
export const MAX_SESSION_TOKEN = 64;
/** Longest UTF-8 text of a HELLO, FAILED or GOAWAY. */
export const MAX_TEXT = 255;
/** Most carriers one RESUME lists. */
export const MAX_RESUME_ENTRIES = 256;
/** Counts and offsets are u64 on the wire and stay exact in a JavaScript number up to here. */
export const MAX_OFFSET: number = Number.MAX_SAFE_INTEGER;
/** Largest stream id: ids are never used twice, a session that reaches it is replaced. */
export const MAX_STREAM_ID = 0xffff_ffff;
/** Largest datagram payload (RFC 768 over IPv4: 65,535 less the IP and UDP headers). */
export const MAX_DATAGRAM = 65_507;
