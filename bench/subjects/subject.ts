import type { Topic } from "../measure/topics.ts";
import type { Workshop } from "../workshop.ts";

/** A subject that is up: where it listens, and the roots of its process trees. */
export type Running = Readonly<{
  /** SOCKS5 on 127.0.0.1; undefined: no proxy at all. */
  proxyPort: number | undefined;
  /** What runs on the user's machine. */
  clientPids: readonly number[];
  /** What runs at the other end of the tunnel. */
  serverPids: readonly number[];
}>;

/**
 * The port by which a client is to reach the server at a port: the same one, or the near end of a
 * link that a measurement has put in between.
 */
export type Reach = (port: number) => Promise<number>;

/** One way to reach a target, to be measured. */
export interface Subject {
  readonly name: string;
  /** One line for --help. */
  readonly about: string;
  /** What it can be measured in. */
  readonly topics: readonly Topic[];
  /** What has to be installed first; undefined when nothing is missing. */
  missing(): string | undefined;
  version(): string;
  /** Resolves once connections are accepted. Whatever it starts, the workshop ends. */
  start(workshop: Workshop, reach: Reach): Promise<Running>;
}
