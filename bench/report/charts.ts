import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

/** Values of several things in several places; undefined where there is none. */
export type Series = Readonly<{ name: string; values: readonly (number | undefined)[] }>;

/** A chart without its kind. */
export type Chart = Readonly<{ title: string; unit: string; series: readonly Series[] }>;

const WIDTH = 760;
const FONT = { fontFamily: "sans-serif", fontSize: 12, color: "#222" };

// ECharts brings only what is asked for. The SVG comes without a browser.
use([BarChart, LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** A group of bars for each category, as SVG. */
export function renderBars(chart: Chart, categories: readonly string[]): string {
  const count = categories.length * chart.series.length;
  return render(156 + 20 * count + 10 * categories.length, {
    ...frameOf(chart),
    xAxis: { type: "value", name: chart.unit, nameLocation: "middle", nameGap: 26, min: 0 },
    yAxis: { type: "category", data: [...categories], inverse: true, axisLabel: FONT },
    series: chart.series.map(({ name, values }) => ({
      type: "bar",
      name,
      data: values.map((value) => value ?? "-"),
      label: { show: true, position: "right", ...FONT, formatter: formatLabel },
    })),
  });
}

/** A line for each series over steps that each are a multiple of the one before, as SVG. */
export function renderLines(chart: Chart, steps: readonly number[], stepUnit: string): string {
  return render(340, {
    ...frameOf(chart),
    xAxis: {
      type: "category",
      data: steps.map((step) => step.toLocaleString("en")),
      name: stepUnit,
      nameLocation: "middle",
      nameGap: 26,
    },
    yAxis: { type: "value", name: chart.unit, min: 0 },
    series: chart.series.map(({ name, values }) => ({
      type: "line",
      name,
      data: values.map((value) => value ?? "-"),
      symbolSize: 7,
    })),
  });
}

function frameOf({ title, series }: Chart): EChartsCoreOption {
  return {
    animation: false,
    // Pages may be dark, and the text is not.
    backgroundColor: "#fff",
    title: { text: title, left: "center", top: 8, textStyle: { ...FONT, fontSize: 14 } },
    legend: { top: 34, show: series.length > 1, textStyle: FONT },
    grid: { left: 16, right: 70, top: 70, bottom: 40 },
  };
}

function formatLabel({ value }: Readonly<{ value?: unknown }>): string {
  if (typeof value !== "number") return "";
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

function render(height: number, option: EChartsCoreOption): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  try {
    chart.setOption(option);
    return `${chart.renderToSVGString()}\n`;
  } finally {
    chart.dispose();
  }
}
