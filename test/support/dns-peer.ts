import { DnsDeframer, frameMessage } from "../../edge-worker/egress/dns/dns-framing.ts";
import { FakeChannel } from "./fake-channel.ts";

/** The far end of a connection to a DNS resolver, in memory. */
export class DnsPeer {
  readonly channel = new FakeChannel();
  #seen = 0;

  /** The queries that have come since the last call. */
  takeQueries(): Uint8Array[] {
    const queries = new DnsDeframer().push(this.channel.written);
    const fresh = queries.slice(this.#seen);
    this.#seen = queries.length;
    return fresh;
  }

  answer(...responses: readonly Uint8Array[]): void {
    for (const response of responses) this.channel.arrive(frameMessage(response));
  }
}
