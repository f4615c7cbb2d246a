/** The middle value, or the mean of the two in the middle; undefined when there is none. */
export function medianOf(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((left, right) => left - right);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
}

/** The smallest and the largest value; undefined when there is none. */
export function spreadOf(
  values: readonly number[],
): Readonly<{ min: number; max: number }> | undefined {
  if (values.length === 0) return undefined;
  return { min: Math.min(...values), max: Math.max(...values) };
}

/** How many times better a value is than another. */
export function timesBetter(value: number, other: number, better: "more" | "less"): number {
  return better === "more" ? value / other : other / value;
}

/** A number as people read it, three digits long. */
export function formatNumber(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "-";
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}
