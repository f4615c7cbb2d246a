import type { Address } from "../../protocol/address.ts";
import type { ByteChannel } from "../../protocol/channel.ts";
import type { FailureReason } from "../../protocol/errors.ts";

/** A client's connection, and the IP addresses of its two ends. */
export interface Client extends ByteChannel {
  /** Ours: the address that the client has reached. */
  readonly localHost: string;
  readonly remoteHost: string;
}

/** What a client asked for, whatever language it spoke. */
export interface ClientRequest {
  /** One of `Command`, or a number to answer with "command-unsupported". */
  readonly command: number;
  readonly address: Address;
  /** Who asks; undefined when nobody had to say. */
  readonly user: string | undefined;
  /** How this client is answered. */
  readonly replies: Replies;
}

/** The answers of one proxy protocol. */
export interface Replies {
  readonly success: (bound: Address) => Uint8Array;
  readonly failure: (reason: FailureReason) => Uint8Array;
}

/** A client that asked for a stream and is ready to use it. */
export interface Tunnel {
  readonly request: ClientRequest;
  readonly client: Client;
  /** What the client sent behind its request. */
  readonly early: Uint8Array;
}

/** How HTTP is spoken with a client. */
export interface HttpDoor {
  /**
   * Serves requests, `unread` first, until the client asks for a tunnel or leaves. `enter` is called
   * when there is a request, and gives why it is not to be served.
   */
  readonly serve: (
    unread: Uint8Array,
    enter: () => FailureReason | undefined,
  ) => Promise<Tunnel | undefined>;
}
