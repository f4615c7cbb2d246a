import { type Growth, growthKey, growths } from "../measure/growth.ts";
import { rowsOf } from "../measure/measurements.ts";
import type { Row } from "../measure/measurement.ts";
import { TOPICS } from "../measure/topics.ts";
import { none } from "../subjects/none.ts";
import { renderBars, renderLines } from "./charts.ts";
import type { Cell, Results } from "./results.ts";
import { formatNumber } from "./statistics.ts";

/** A chart with its table. */
export type Figure = Readonly<{ file: string; title: string; svg: string; table: string }>;

type Plan = Readonly<{
  file: string;
  title: string;
  keys: readonly string[];
  who?: RegExp;
  hasNone?: true;
}>;

/**
 * Each has rows of one unit. Who is measured over TLS is compared apart from the others. The bars of
 * "none" would make all others short: mostly it is in the table alone.
 */
const plans: readonly Plan[] = [
  {
    file: "throughput",
    title: "Throughput over ws://",
    keys: ["download", "upload", "download32"],
    who: /^(?!.*-tls$)/,
  },
  {
    file: "throughput-tls",
    title: "Throughput over wss://",
    keys: ["download", "upload", "download32"],
    who: /-tls$|^ssh$/,
  },
  { file: "cpu", title: "CPU time per GB", keys: ["cpu-client", "cpu-server", "cpu-total"] },
  { file: "sessions", title: "New sessions per second, 32 at a time", keys: ["sessions"] },
  {
    file: "ping",
    title: "64-byte ping beside 4 downloads",
    keys: ["ping-median", "ping-p99"],
    hasNone: true,
  },
  { file: "ping-download", title: "The 4 downloads meanwhile", keys: ["ping-download"] },
  { file: "idle", title: "An idle session", keys: ["idle-client", "idle-server"] },
  {
    file: "still",
    title: "Memory added by 200 readers that stand still",
    keys: ["still-client", "still-server"],
  },
  {
    file: "still-kept",
    title: "4 downloads beside these 200, of their speed without",
    keys: ["still-kept"],
  },
  { file: "udp", title: "UDP, 1,200 bytes: datagrams per second", keys: ["udp-rate", "udp-flat"] },
  { file: "udp-loss", title: "UDP: what is lost", keys: ["udp-loss", "udp-flat-loss"] },
  { file: "relay", title: "The relay that emulates links, alone", keys: ["relay"], hasNone: true },
  {
    file: "link-download",
    title: "One download over a link",
    keys: ["link50-download", "link200-download"],
    hasNone: true,
  },
  {
    file: "link-ping",
    title: "Ping beside 4 downloads over 50 ms and 200 Mbit/s",
    keys: ["link50-ping-median", "link50-ping-p99"],
    hasNone: true,
  },
  {
    file: "link-ping-download",
    title: "The 4 downloads over that link meanwhile",
    keys: ["link50-ping-download"],
    hasNone: true,
  },
  {
    file: "first-byte",
    title: "SOCKS request to first byte of the answer, 50 ms RTT",
    keys: ["first-byte"],
    hasNone: true,
  },
  {
    file: "losses",
    title: "A download goes on after a loss, over 50 ms",
    keys: ["loss-one", "loss-all", "loss-outage"],
  },
  {
    file: "resumption",
    title: "Speed with resumption and without",
    keys: ["resumption-download", "resumption-upload"],
  },
  {
    file: "resumption-cpu",
    title: "CPU time per GB with resumption and without",
    keys: ["resumption-download-cpu", "resumption-upload-cpu"],
  },
];

/** Charts and tables of what a run has measured, one subject beside the other. */
export function drawComparisons(results: Results): Figure[] {
  const rows = rowsOf(TOPICS);
  return plans.flatMap(({ file, title, keys, who, hasNone }) => {
    const shown = keys.flatMap((key) => rows.filter((row) => row.key === key));
    const subjects = results.subjects.filter(
      (name) =>
        (who === undefined || who.test(name)) && keys.some((key) => cellOf(results, name, key)),
    );
    const [first] = shown;
    if (subjects.length === 0 || first === undefined) return [];
    const charted = subjects.filter((name) => hasNone || name !== none.name);
    const series = shown.map(({ key, label }) => ({
      name: label,
      values: charted.map((name) => cellOf(results, name, key)?.median),
    }));
    const svg = renderBars({ title, unit: first.unit, series }, charted);
    return [{ file: `${file}.svg`, title, svg, table: formatComparison(results, subjects, shown) }];
  });
}

/** Charts and tables of how cost grows. */
export function drawGrowths(results: Results): Figure[] {
  return growths.flatMap((growth) =>
    growth.quantities.flatMap((quantity) => {
      const series = results.subjects
        .map((name) => ({
          name,
          values: growth.steps.map(
            (step) => cellOf(results, name, growthKey(growth, step, quantity))?.median,
          ),
        }))
        .filter(({ values }) => values.some((value) => value !== undefined));
      if (series.length === 0) return [];
      const title = `${growth.label}: ${quantity.label}`;
      const svg = renderLines({ title, unit: quantity.unit, series }, growth.steps, growth.unit);
      const file = `${growth.topic}-${quantity.name}.svg`;
      return [{ file, title, svg, table: formatGrowth(growth, quantity.unit, series) }];
    }),
  );
}

/** A table in Markdown. */
export function formatMarkdownTable(
  header: readonly string[],
  lines: readonly (readonly string[])[],
): string {
  const rule = header.map(() => "---");
  return [header, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function formatComparison(
  results: Results,
  subjects: readonly string[],
  rows: readonly Row[],
): string {
  const header = ["", ...rows.map(({ label, unit }) => `${label} (${unit})`)];
  const lines = subjects.map((name) => [
    name,
    ...rows.map(({ key }) => formatCell(cellOf(results, name, key))),
  ]);
  return formatMarkdownTable(header, lines);
}

function formatGrowth(
  { steps, unit: stepUnit }: Growth,
  unit: string,
  series: readonly Readonly<{ name: string; values: readonly (number | undefined)[] }>[],
): string {
  const header = [stepUnit, ...series.map(({ name }) => `${name} (${unit})`)];
  const lines = steps.map((step, index) => [
    step.toLocaleString("en"),
    ...series.map(({ values }) => formatNumber(values[index])),
  ]);
  return formatMarkdownTable(header, lines);
}

function formatCell(cell: Cell | undefined): string {
  if (cell === undefined) return "-";
  const { median, min, max } = cell;
  return `${formatNumber(median)} (${formatNumber(min)} to ${formatNumber(max)})`;
}

function cellOf(results: Results, subject: string, key: string): Cell | undefined {
  return results.results[subject]?.[key];
}
