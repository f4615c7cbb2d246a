import type { ByteChannel } from "../../../protocol/channel.ts";
import type { Clock } from "../../../protocol/clock.ts";
import type { Log } from "../../../protocol/log.ts";
import type { TurnUrl } from "./turn-url.ts";

/** MD5, which long-term credentials need and WebCrypto has not everywhere. */
export type Md5 = (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>;

/** What an operator says of a TURN server. */
export interface TurnSettings {
  readonly url: TurnUrl;
  readonly username: string;
  readonly password: string;
}

/** A TURN server as a platform reaches it. */
export interface TurnServer extends Pick<TurnSettings, "username" | "password"> {
  readonly clock: Clock;
  readonly log: Log;
  readonly md5: Md5;
  /** Connects to the server, by TLS where its URL says so; `signal` ends that where the platform can. */
  readonly dial: (signal: AbortSignal) => Promise<ByteChannel>;
}
