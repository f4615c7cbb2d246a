import { Counter, Gauge, Registry } from "prom-client";
import type { RelayTotals } from "../../protocol/channel.ts";
import { EdgesocksError, type FailureReason } from "../../protocol/errors.ts";

/** What an agent counts. `text()` is the Prometheus exposition format. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #clients = this.#gauge("edgesocks_clients", "Connections of local clients now");
  readonly #streams = this.#gauge("edgesocks_streams", "Streams through the edge now");
  readonly #edge = this.#gauge("edgesocks_edge_up", "Sessions with the edge now");
  readonly #opened = this.#counter("edgesocks_streams_opened_total", "Streams opened");
  readonly #turnedAway = this.#counter(
    "edgesocks_clients_failed_total",
    "Clients whose handshake or connection failed, by error code",
    "code",
  );
  readonly #refused = this.#counter(
    "edgesocks_requests_failed_total",
    "Requests answered with a failure, by reason",
    "reason",
  );
  readonly #carriers = this.#counter(
    "edgesocks_carrier_failures_total",
    "Carriers lost or not had, by error code",
    "code",
  );
  readonly #bytes = this.#counter("edgesocks_bytes_total", "Bytes of ended streams", "direction");

  readonly #datagrams = this.#counter(
    "edgesocks_datagrams_dropped_total",
    "Datagrams dropped as too many waited, by direction",
    "direction",
  );

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  clientCame(): void {
    this.#clients.inc();
  }

  clientLeft(): void {
    this.#clients.dec();
  }

  clientFailed(error: unknown): void {
    this.#turnedAway.inc({ code: codeOf(error) });
  }

  requestFailed(reason: FailureReason): void {
    this.#refused.inc({ reason });
  }

  streamOpened(): void {
    this.#opened.inc();
    this.#streams.inc();
  }

  streamClosed({ leftToRight, rightToLeft }: RelayTotals): void {
    this.#streams.dec();
    this.#bytes.inc({ direction: "up" }, leftToRight);
    this.#bytes.inc({ direction: "down" }, rightToLeft);
  }

  datagramDropped(direction: "up" | "down"): void {
    this.#datagrams.inc({ direction });
  }

  edgeUp(isUp: boolean): void {
    this.#edge.inc(isUp ? 1 : -1);
  }

  carrierFailed(error: unknown): void {
    this.#carriers.inc({ code: codeOf(error) });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.#registry] });
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }
}

function codeOf(error: unknown): string {
  return error instanceof EdgesocksError ? error.code : "other";
}
