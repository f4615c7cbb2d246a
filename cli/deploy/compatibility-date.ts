import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import * as v from "valibot";
import { ConfigError } from "../../protocol/errors.ts";

/** What the package workerd says of itself. */
const WORKERD = v.object({ compatibilityDate: v.string() });

/**
 * The newest compatibility date that the workerd installed beside one of `places` knows: the first
 * that has one. Undefined where there is no workerd.
 */
export function newestDateOf(places: readonly string[]): string | undefined {
  for (const place of places) {
    try {
      const workerd: unknown = createRequire(realpathSync(place))("workerd");
      return v.parse(WORKERD, workerd).compatibilityDate;
    } catch {
      // Not installed there, or not for this platform: the next may be.
    }
  }
  return undefined;
}

/**
 * A date that workerd does not know yet turns on what nobody has tried, and Cloudflare refuses one
 * in the future. Dates are texts such as "2026-10-01". @throws ConfigError
 */
export function requireKnownDate(date: string, newest: string | undefined, today: string): void {
  if (newest !== undefined && date > newest) {
    const text = `the installed workerd knows none later than ${newest}`;
    throw new ConfigError(`Cannot use compatibility_date ${date}: ${text}`);
  }
  if (date > today) {
    throw new ConfigError(`Cannot use compatibility_date ${date}: it is in the future`);
  }
}
