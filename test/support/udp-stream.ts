import type { Session } from "../../protocol/session.ts";
import { type Address, UNSPECIFIED } from "../../protocol/address.ts";
import { Command } from "../../protocol/wire.ts";
import type { Delivered } from "./associations.ts";

/** A UDP association of an agent's session, with what came back. */
export interface UdpStream {
  send(to: Address, bytes: Uint8Array): void;
  /** The next datagram that nobody has taken yet. */
  next(): Promise<Delivered>;
  /** Datagrams that nobody has taken. */
  readonly untaken: readonly Delivered[];
  close(): Promise<void>;
}

/** Opens an association. @throws StreamError when the edge refuses it */
export async function openUdpStream(session: Session): Promise<UdpStream> {
  const { stream } = session.open(Command.UdpAssociate, UNSPECIFIED, new Uint8Array());
  const untaken: Delivered[] = [];
  const waiting: ((datagram: Delivered) => void)[] = [];
  stream.onDatagram((from, bytes) => {
    const datagram = { from, bytes: bytes.slice() };
    const taker = waiting.shift();
    if (taker) taker(datagram);
    else untaken.push(datagram);
  });
  await stream.answer();
  return {
    send: (to, bytes) => stream.sendDatagram(to, bytes),
    untaken,
    next: () => {
      const past = untaken.shift();
      return past ? Promise.resolve(past) : new Promise((resolve) => waiting.push(resolve));
    },
    close: async () => {
      await stream.end();
      while ((await stream.read()) !== null);
    },
  };
}
