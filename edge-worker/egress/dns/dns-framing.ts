/** The two octets in front of each message by TCP (RFC 1035 section 4.2.2). */
const PREFIX = 2;

/** A message with its length in front, in one piece as RFC 7766 section 8 asks. */
export function frameMessage(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(PREFIX + message.length);
  new DataView(framed.buffer).setUint16(0, message.length);
  framed.set(message, PREFIX);
  return framed;
}

/** Takes messages apart that come by TCP, however they are cut. Holds one message at most. */
export class DnsDeframer {
  #rest = new Uint8Array();

  /** The messages that `chunk` completes; each is a copy. */
  push(chunk: Uint8Array): Uint8Array[] {
    const bytes = new Uint8Array(this.#rest.length + chunk.length);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.length);
    const view = new DataView(bytes.buffer);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (bytes.length - at >= PREFIX) {
      const end = at + PREFIX + view.getUint16(at);
      if (end > bytes.length) break;
      messages.push(bytes.slice(at + PREFIX, end));
      at = end;
    }
    this.#rest = bytes.slice(at);
    return messages;
  }
}
