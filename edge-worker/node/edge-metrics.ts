import { Counter, Gauge, Registry } from "prom-client";
import { Command } from "../../protocol/wire.ts";
import type { Tally } from "../tally.ts";

/** What is counted beside the tally, as it stands now. */
export interface EdgeGauges {
  readonly sessions: number;
  readonly connections: number;
  readonly connectionsRefused: number;
  /** When the certificate ends, in milliseconds of the Unix epoch; undefined without TLS. */
  readonly certificateExpiresAt: number | undefined;
}

/** The counts of a Node edge in the Prometheus exposition format. They are read when asked for. */
export class EdgeMetrics {
  readonly #registry = new Registry();

  constructor(tally: Tally, gauges: () => EdgeGauges) {
    this.#gauge("sessions", "Sessions with agents now", () => gauges().sessions);
    this.#gauge("streams", "Streams being served now", () => tally.streams);
    this.#gauge("connections", "Connections to the edge now", () => gauges().connections);
    if (gauges().certificateExpiresAt !== undefined) {
      const help = "When the certificate in use ends, in seconds of the Unix epoch";
      this.#gauge("certificate_expires", help, () => (gauges().certificateExpiresAt ?? 0) / 1000);
    }
    this.#total("carriers_admitted", "Carriers that were admitted", () => tally.admitted);
    this.#total("sessions_begun", "Sessions begun", () => tally.sessionsBegun);
    const violations = "Sessions that ended by a breach of the protocol";
    this.#total("violations", violations, () => tally.violations);
    const refused = "Connections and carriers that found no room";
    this.#total("connections_refused", refused, () => gauges().connectionsRefused);
    const dropped = "Datagrams for agents that found no room";
    this.#total("datagrams_dropped", dropped, () => tally.datagramsDropped);
    this.#series("streams_opened", "Streams opened, by command", "command", () =>
      Array.from(tally.openedByCommand, ([command, count]) => [nameOf(command), count]),
    );
    this.#series("streams_failed", "Streams that ended in a failure, by reason", "reason", () => [
      ...tally.failedByReason,
    ]);
    this.#series("bytes", "Bytes relayed, up from agents and down to them", "direction", () => [
      ["up", tally.bytes.leftToRight],
      ["down", tally.bytes.rightToLeft],
    ]);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, read: () => number): void {
    const registers = [this.#registry];
    const gauge: Gauge = new Gauge({
      name: `edgesocks_edge_${name}`,
      help,
      registers,
      collect: () => gauge.set(read()),
    });
  }

  #total(name: string, help: string, read: () => number): void {
    const registers = [this.#registry];
    const counter: Counter = new Counter({
      name: `edgesocks_edge_${name}_total`,
      help,
      registers,
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }

  #series(
    name: string,
    help: string,
    label: string,
    read: () => (readonly [string, number])[],
  ): void {
    const registers = [this.#registry];
    const counter: Counter = new Counter({
      name: `edgesocks_edge_${name}_total`,
      help,
      labelNames: [label],
      registers,
      collect: () => {
        counter.reset();
        for (const [value, count] of read()) counter.inc({ [label]: value }, count);
      },
    });
  }
}

/** Agents choose the numbers: those that nobody knows must not become series of their own. */
function nameOf(command: number): string {
  const known = Object.entries(Command).find(([, number]) => number === command);
  return known ? known[0].replaceAll(/(?<!^)([A-Z])/g, "-$1").toLowerCase() : "other";
}
