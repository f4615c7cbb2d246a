import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type EdgeGauges, EdgeMetrics } from "../../../edge-worker/node/edge-metrics.ts";
import { Tally } from "../../../edge-worker/tally.ts";
import { Command } from "../../../protocol/wire.ts";
import { metricValue } from "../../support/metric-value.ts";

const gauges: EdgeGauges = {
  sessions: 2,
  connections: 3,
  connectionsRefused: 4,
  certificateExpiresAt: 5_000,
};

function createMetrics(changes: Partial<EdgeGauges> = {}) {
  const tally = new Tally();
  const metrics = new EdgeMetrics(tally, () => ({ ...gauges, ...changes }));
  return {
    tally,
    read: (series: string) => metricValue(metrics, `edgesocks_edge_${series}`),
    metrics,
  };
}

describe("EdgeMetrics", () => {
  it("shows what there is now", async () => {
    const { tally, read } = createMetrics();
    const ended = tally.streamBegan(Command.Connect);
    expect(await read("streams")).toBe(1);
    ended();
    expect(await read("streams")).toBe(0);
    expect(await read("sessions")).toBe(2);
    expect(await read("connections")).toBe(3);
    expect(await read("connections_refused_total")).toBe(4);
    expect(await read("certificate_expires")).toBe(5);
  });

  it("has no certificate without TLS", async () => {
    const { read } = createMetrics({ certificateExpiresAt: undefined });
    expect(await read("certificate_expires")).toBeUndefined();
  });

  it("shows totals, however often it is asked", async () => {
    const { tally, read } = createMetrics();
    Object.assign(tally, { admitted: 1, sessionsBegun: 2, violations: 3, datagramsDropped: 4 });
    for (let i = 0; i < 2; i++) {
      expect(await read("carriers_admitted_total")).toBe(1);
      expect(await read("sessions_begun_total")).toBe(2);
      expect(await read("violations_total")).toBe(3);
      expect(await read("datagrams_dropped_total")).toBe(4);
    }
  });

  it("shows streams by command and failures by reason", async () => {
    const { tally, read } = createMetrics();
    for (const command of [Command.Connect, Command.UdpAssociate, Command.UdpAssociate]) {
      tally.streamBegan(command);
    }
    tally.streamFailed("denied");
    expect(await read('streams_opened_total{command="connect"}')).toBe(1);
    expect(await read('streams_opened_total{command="udp-associate"}')).toBe(2);
    expect(await read('streams_failed_total{reason="denied"}')).toBe(1);
  });

  it("makes one series of all commands that nobody knows", async () => {
    const { tally, read } = createMetrics();
    for (const command of [0x77, 0x78]) tally.streamBegan(command);
    expect(await read('streams_opened_total{command="other"}')).toBe(2);
  });

  it("shows bytes by direction", async () => {
    const { tally, read } = createMetrics();
    tally.bytes.leftToRight = 10;
    tally.bytes.rightToLeft = 20;
    expect(await read('bytes_total{direction="up"}')).toBe(10);
    expect(await read('bytes_total{direction="down"}')).toBe(20);
  });

  it("has a HELP line for each metric, and a row in docs/self-hosting.md", async () => {
    const { metrics } = createMetrics();
    const text = await metrics.text();
    const names = text.split("\n").flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
    expect(names).toHaveLength(12);
    for (const name of names) expect(text).toMatch(new RegExp(`^# HELP ${name} \\S`, "m"));
    const page = readFileSync(new URL("../../../docs/self-hosting.md", import.meta.url), "utf8");
    const described = Array.from(
      page.matchAll(/^\| `(edgesocks_edge_\w+)` \|/gm),
      ([, name]) => name,
    );
    expect(new Set(described)).toEqual(new Set(names));
  });
});
