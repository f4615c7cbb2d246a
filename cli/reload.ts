import { statSync } from "node:fs";
import { messageOf } from "../protocol/errors.ts";
import type { Log } from "../protocol/log.ts";

export interface ReloadOptions<Settings extends object> {
  /** What runs now. */
  readonly settings: Settings;
  /** Reads all sources again. @throws ConfigError */
  readonly load: () => Settings;
  /** Makes a running service take what it can of other settings. @throws ConfigError, changing nothing */
  readonly take: (settings: Settings) => void;
  /** Keys that `take` takes; others need a new start. */
  readonly taken: readonly (keyof Settings & string)[];
  readonly log: Log;
}

/** Makes a function that reads the settings again and lets a service take them. It never throws. */
export function createReload<Settings extends object>(
  options: ReloadOptions<Settings>,
): () => void {
  const { load, take, taken, log } = options;
  let current = options.settings;
  return () => {
    try {
      const next = load();
      take(next);
      const late = keysOf(next).filter(
        (key) => !taken.includes(key) && !isSame(current, next, key),
      );
      current = next;
      log.info("Took the changed settings");
      if (late.length > 0) log.warn("Some changes need a new start", { settings: late.join(", ") });
    } catch (error) {
      log.error(`Cannot take the changed settings, the old ones stay: ${messageOf(error)}`);
    }
  };
}

/** How often a file is looked at. By its path, as editors and Kubernetes put a new file in its place. */
const WATCH_MS = 1000;

/** Calls back when `file` has changed since this was called; returns what ends that. */
export function watchSettings(file: string, changed: () => void): () => void {
  // Not fs.watchFile(): it looks for the first time in a later turn, and misses what changed before.
  let seen = stampOf(file);
  const timer = setInterval(() => {
    const stamp = stampOf(file);
    if (stamp === seen) return;
    seen = stamp;
    changed();
  }, WATCH_MS);
  // A watch alone must not keep a process alive.
  timer.unref();
  return () => clearInterval(timer);
}

/** What differs between one version of a file and the next; "" for none that can be seen. */
function stampOf(file: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return "";
  }
}

function keysOf<Settings extends object>(settings: Settings): (keyof Settings & string)[] {
  return Object.keys(settings) as (keyof Settings & string)[];
}

function isSame<Settings>(one: Settings, other: Settings, key: keyof Settings): boolean {
  return JSON.stringify(one[key]) === JSON.stringify(other[key]);
}
