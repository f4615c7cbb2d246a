import { describe, expect, it } from "vitest";
import { Metrics } from "../../../client-agent/observe/metrics.ts";
import { CarrierError, HandshakeError, StreamError } from "../../../protocol/errors.ts";
import { metricValue } from "../../support/metric-value.ts";

describe("Metrics", () => {
  it("counts clients that come and leave", async () => {
    const metrics = new Metrics();
    metrics.clientCame();
    metrics.clientCame();
    metrics.clientLeft();
    expect(await metricValue(metrics, "edgesocks_clients")).toBe(1);
  });

  it("counts clients that failed by error code", async () => {
    const metrics = new Metrics();
    metrics.clientFailed(new HandshakeError("ERR_HANDSHAKE", "Cannot"));
    metrics.clientFailed(new HandshakeError("ERR_HANDSHAKE", "Cannot"));
    metrics.clientFailed(new StreamError("connection-reset", "The connection broke"));
    metrics.clientFailed("not even an Error");
    const failed = (code: string) =>
      metricValue(metrics, `edgesocks_clients_failed_total{code="${code}"}`);
    expect(await failed("ERR_HANDSHAKE")).toBe(2);
    expect(await failed("connection-reset")).toBe(1);
    expect(await failed("other")).toBe(1);
  });

  it("counts requests that failed by reason", async () => {
    const metrics = new Metrics();
    metrics.requestFailed("timed-out");
    const series = 'edgesocks_requests_failed_total{reason="timed-out"}';
    expect(await metricValue(metrics, series)).toBe(1);
  });

  it("counts streams that are open, and all that ever were", async () => {
    const metrics = new Metrics();
    metrics.streamOpened();
    metrics.streamOpened();
    metrics.streamClosed({ leftToRight: 0, rightToLeft: 0 });
    expect(await metricValue(metrics, "edgesocks_streams")).toBe(1);
    expect(await metricValue(metrics, "edgesocks_streams_opened_total")).toBe(2);
  });

  it("adds up the bytes of ended streams by direction", async () => {
    const metrics = new Metrics();
    metrics.streamClosed({ leftToRight: 10, rightToLeft: 1000 });
    metrics.streamClosed({ leftToRight: 5, rightToLeft: 0 });
    expect(await metricValue(metrics, 'edgesocks_bytes_total{direction="up"}')).toBe(15);
    expect(await metricValue(metrics, 'edgesocks_bytes_total{direction="down"}')).toBe(1000);
  });

  it("tells whether there is a session with the edge", async () => {
    const metrics = new Metrics();
    expect(await metricValue(metrics, "edgesocks_edge_up")).toBe(0);
    metrics.edgeUp(true);
    expect(await metricValue(metrics, "edgesocks_edge_up")).toBe(1);
    metrics.edgeUp(false);
    expect(await metricValue(metrics, "edgesocks_edge_up")).toBe(0);
  });

  it("counts carriers that were lost by error code", async () => {
    const metrics = new Metrics();
    metrics.carrierFailed(new CarrierError("ERR_CARRIER_LOST", "The carrier closed"));
    const series = 'edgesocks_carrier_failures_total{code="ERR_CARRIER_LOST"}';
    expect(await metricValue(metrics, series)).toBe(1);
  });
});

describe("Metrics.text()", () => {
  it("has a HELP and a TYPE line for each metric", async () => {
    const metrics = new Metrics();
    const text = await metrics.text();
    const names = text.split("\n").flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
    expect(names).toContain("edgesocks_clients");
    for (const name of names) expect(text).toMatch(new RegExp(`^# HELP ${name} \\S`, "m"));
    expect(metrics.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  });

  it("is of one agent: another's counts do not show", async () => {
    const [one, another] = [new Metrics(), new Metrics()];
    one.clientCame();
    expect(await metricValue(another, "edgesocks_clients")).toBe(0);
  });
});
