import type { RelayTotals } from "../protocol/channel.ts";
import type { FailureReason } from "../protocol/errors.ts";

/** What an edge counts as it works. Plain numbers: whoever shows them reads them. */
export class Tally {
  /** Bytes relayed so far; left is the agent. Every relay adds to them as it goes. */
  readonly bytes: RelayTotals = { leftToRight: 0, rightToLeft: 0 };
  /** Carriers that were admitted. */
  admitted = 0;
  sessionsBegun = 0;
  /** Sessions that ended because their agent broke PROTOCOL.md. */
  violations = 0;
  /** Datagrams for an agent that found no room on its carrier. */
  datagramsDropped = 0;
  readonly #openedByCommand = new Map<number, number>();
  readonly #failedByReason = new Map<FailureReason, number>();
  #streams = 0;

  /** Streams that are being served now. */
  get streams(): number {
    return this.#streams;
  }

  /** Streams that were opened, by the number of their command. */
  get openedByCommand(): ReadonlyMap<number, number> {
    return this.#openedByCommand;
  }

  /** Streams that ended in a failure, before their answer or after it. */
  get failedByReason(): ReadonlyMap<FailureReason, number> {
    return this.#failedByReason;
  }

  /** A stream is served from now on, until what this returns is called. */
  streamBegan(command: number): () => void {
    this.#streams++;
    this.#openedByCommand.set(command, (this.#openedByCommand.get(command) ?? 0) + 1);
    return () => void this.#streams--;
  }

  streamFailed(reason: FailureReason): void {
    this.#failedByReason.set(reason, (this.#failedByReason.get(reason) ?? 0) + 1);
  }
}
