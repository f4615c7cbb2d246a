import type { Exposition } from "../../protocol/node/admin-server.ts";

/** The value of one series, such as `edgesocks_clients` or `name{code="x"}`; undefined when absent. */
export async function metricValue(
  metrics: Exposition,
  series: string,
): Promise<number | undefined> {
  const lines = (await metrics.text()).split("\n");
  const line = lines.find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}
