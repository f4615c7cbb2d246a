import type { ChildProcess } from "node:child_process";
import { number, object } from "valibot";
import { endLoad, readResult, startLoad } from "./load-process.ts";

/** What lies between the two ends of a tunnel. */
export type Link = Readonly<{
  rttMs: number;
  /** 0: as fast as the relay can. */
  megabitsPerSecond: number;
}>;

/** The queue in front of the link holds what it carries in this time. */
export const LINK_BUFFER_MS = 1000;

/** Longer than any turn takes. */
const RELAY_LIMIT_S = 600;

/** What may happen to the connections of a link, as relay.c knows it. */
const COMMANDS = {
  "break the busiest": "b",
  "break all": "a",
  /** And refuse new ones, until it is opened. */
  "break all, and refuse": "r",
  open: "o",
} as const;
export type Command = keyof typeof COMMANDS;

/** The relays of one turn. */
export class Relays {
  readonly #program: string;
  readonly #link: Link;
  readonly #children: ChildProcess[] = [];

  constructor(program: string, link: Link) {
    this.#program = program;
    this.#link = link;
  }

  /** Puts a link before a port of 127.0.0.1, and returns the port of the link's near end. */
  async reach(port: number): Promise<number> {
    const { rttMs, megabitsPerSecond } = this.#link;
    const child = startLoad(this.#program, "relay", {
      to: port,
      delay: (rttMs / 2) * 1000,
      rate: megabitsPerSecond,
      buffer: LINK_BUFFER_MS,
      limit: RELAY_LIMIT_S,
    });
    this.#children.push(child);
    return (await readResult(child, object({ port: number() }))).port;
  }

  /** Does this on every link. */
  tell(command: Command): void {
    for (const { stdin } of this.#children) stdin?.write(COMMANDS[command]);
  }

  async stop(): Promise<void> {
    for (const child of this.#children) await endLoad(child);
  }
}
