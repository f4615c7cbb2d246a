import type { Address } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import type { Stream } from "../../../protocol/stream.ts";
import type { Association, Deliver } from "../egress.ts";

/**
 * The datagrams of one association by way of another edge. When its stream is lost, as with the
 * session with that edge, the next datagram asks for another: UDP promises nothing, but goes on.
 */
export class EdgeAssociation implements Association {
  readonly #openStream: () => Promise<Stream>;
  readonly #deliver: Deliver;
  #stream: Stream | undefined;
  #isOpening = false;
  #isClosed = false;
  #dropped = 0;

  constructor(openStream: () => Promise<Stream>, deliver: Deliver) {
    this.#openStream = openStream;
    this.#deliver = deliver;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** @throws StreamError, "command-unsupported" where the other edge has no UDP */
  async open(): Promise<void> {
    this.#isOpening = true;
    try {
      const stream = await this.#openStream();
      if (this.#isClosed) return stream.abort(ended());
      stream.onDatagram(this.#deliver);
      this.#stream = stream;
      stream.onceFailed(() => (this.#stream = undefined));
    } finally {
      this.#isOpening = false;
    }
  }

  send(to: Address, bytes: Uint8Array): void {
    if (this.#stream) return void this.#stream.sendDatagram(to, bytes);
    this.#dropped++;
    // This datagram is lost; whether there is another stream, the next one will see.
    if (!this.#isOpening && !this.#isClosed) this.open().catch(() => {});
  }

  close(): void {
    this.#isClosed = true;
    this.#stream?.abort(ended());
  }
}

function ended(): StreamError {
  return new StreamError("cancelled", "The association has ended");
}
