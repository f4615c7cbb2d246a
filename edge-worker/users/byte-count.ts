import * as v from "valibot";

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 };
const BYTE_WORDS = 'expected a number of bytes, such as 1500000 or "1.5 MB", at least 1';

/** A number of bytes, or a text with a decimal unit: "500 kB", "20 GB". */
export const byteCount = v.pipe(
  v.union([v.number(), v.string()], BYTE_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const [, digits, unit = ""] =
      /^(\d{1,15}(?:\.\d{1,3})?)(?: ?([kMGT]?)B)?$/.exec(String(dataset.value)) ?? [];
    const bytes = Math.floor(Number(digits) * (UNITS[unit] ?? NaN));
    if (bytes >= 1 && Number.isSafeInteger(bytes)) return bytes;
    addIssue({ message: BYTE_WORDS });
    return NEVER;
  }),
);
