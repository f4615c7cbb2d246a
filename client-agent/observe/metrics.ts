import { Counter, Gauge, Registry } from "prom-client";
import type { RelayTotals } from "../../protocol/channel.ts";
import { EdgesocksError, type FailureReason } from "../../protocol/errors.ts";

/** What an agent counts. `text()` is the Prometheus exposition format. */
export class Metrics {
  readonly #registry = new Registry();
  /** What each client changes is plain numbers: they are read when somebody asks. */
  readonly #bytes: RelayTotals = { leftToRight: 0, rightToLeft: 0 };
  #clients = 0;
  #streams = 0;
  #opened = 0;
  #edges = 0;
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
  readonly #datagrams = this.#counter(
    "edgesocks_datagrams_dropped_total",
    "Datagrams dropped as too many waited, by direction",
    "direction",
  );

  constructor() {
    this.#gauge("edgesocks_clients", "Connections of local clients now", () => this.#clients);
    this.#gauge("edgesocks_streams", "Streams through the edge now", () => this.#streams);
    this.#gauge("edgesocks_edge_up", "Sessions with the edge now", () => this.#edges);
    const registers = [this.#registry];
    const opened: Counter = new Counter({
      name: "edgesocks_streams_opened_total",
      help: "Streams opened",
      registers,
      collect: () => {
        opened.reset();
        opened.inc(this.#opened);
      },
    });
    const bytes: Counter = new Counter({
      name: "edgesocks_bytes_total",
      help: "Bytes of ended streams",
      labelNames: ["direction"],
      registers,
      collect: () => {
        bytes.reset();
        bytes.inc({ direction: "up" }, this.#bytes.leftToRight);
        bytes.inc({ direction: "down" }, this.#bytes.rightToLeft);
      },
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  clientCame(): void {
    this.#clients++;
  }

  clientLeft(): void {
    this.#clients--;
  }

  clientFailed(error: unknown): void {
    this.#turnedAway.inc({ code: codeOf(error) });
  }

  requestFailed(reason: FailureReason): void {
    this.#refused.inc({ reason });
  }

  streamOpened(): void {
    this.#opened++;
    this.#streams++;
  }

  streamClosed({ leftToRight, rightToLeft }: RelayTotals): void {
    this.#streams--;
    this.#bytes.leftToRight += leftToRight;
    this.#bytes.rightToLeft += rightToLeft;
  }

  datagramDropped(direction: "up" | "down"): void {
    this.#datagrams.inc({ direction });
  }

  edgeUp(isUp: boolean): void {
    this.#edges += isUp ? 1 : -1;
  }

  carrierFailed(error: unknown): void {
    this.#carriers.inc({ code: codeOf(error) });
  }

  #gauge(name: string, help: string, read: () => number): void {
    const registers = [this.#registry];
    const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(read()) });
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }
}

function codeOf(error: unknown): string {
  return error instanceof EdgesocksError ? error.code : "other";
}
