import type { Clock } from "../../../protocol/clock.ts";
import type { NameSource, Records } from "./name-source.ts";

/** Names that are kept; of more, the oldest are forgotten. */
const MAX_ENTRIES = 4096;
/** However long an answer says that it holds; RFC 2308 section 5 asks for this of missing names. */
const MAX_TTL_MS = 3_600_000;

/**
 * Keeps what `source` finds for as long as it holds, what is missing included, and asks once for
 * what several want at the same time. Failures are not kept.
 */
export function createCachedSource(source: NameSource, clock: Clock): NameSource {
  return {
    addressesOf: keep(clock, (name) => source.addressesOf(name)),
    namesOf: keep(clock, (host) => source.namesOf(host)),
  };
}

type Lookup = (key: string) => Promise<Records>;

function keep(clock: Clock, look: Lookup): Lookup {
  const entries = new Map<string, { readonly records: Records; readonly until: number }>();
  const running = new Map<string, Promise<Records>>();
  const remember = (key: string, records: Records): void => {
    const ttlMs = Math.min(records.ttlMs, MAX_TTL_MS);
    entries.delete(key);
    if (ttlMs <= 0) return;
    entries.set(key, { records, until: clock.now() + ttlMs });
    const [oldest] = entries.keys();
    if (entries.size > MAX_ENTRIES && oldest !== undefined) entries.delete(oldest);
  };
  return (key) => {
    const entry = entries.get(key);
    if (entry && clock.now() < entry.until) return Promise.resolve(entry.records);
    const asked = running.get(key);
    if (asked) return asked;
    const asking = look(key)
      .then((records) => {
        remember(key, records);
        return records;
      })
      .finally(() => running.delete(key));
    running.set(key, asking);
    return asking;
  };
}
