import type { Bridge } from "../bridge.ts";
import { workerClock } from "./worker-clock.ts";

/** Keys and rules as the runner tells them, not yet checked. */
export interface RunnerAccess {
  readonly version: number;
  readonly keys: unknown;
  readonly rules: unknown;
}

/**
 * The keys and rules of whoever runs this workerd; with `seen`, once there are others than those of
 * that version.
 */
export async function askForAccess(runner: Fetcher, seen?: number): Promise<RunnerAccess> {
  const response = await runner.fetch(`http://runner/access?seen=${seen ?? ""}`);
  return response.json();
}

/** Calls back whenever the runner has other keys and rules, for as long as it is there. */
export async function followAccess(
  runner: Fetcher | undefined,
  changed: () => Promise<void>,
): Promise<void> {
  if (!runner) return;
  try {
    for (let { version } = await askForAccess(runner); ;) {
      ({ version } = await askForAccess(runner, version));
      await changed();
    }
  } catch {
    // Who runs us has gone, and ends us with it.
  }
}

/**
 * Drains the bridge once whoever runs this workerd says that it will stop. The question stands open until then. At
 * Cloudflare nobody is bound to answer it: there, a WebSocket ends without notice.
 */
export async function drainOnNotice(bridge: Bridge, runner: Fetcher | undefined): Promise<void> {
  if (!runner) return;
  try {
    const response = await runner.fetch("http://runner/stop");
    const drainMs = Number(await response.text());
    if (!response.ok || !Number.isFinite(drainMs)) return;
    bridge.drain(drainMs);
    workerClock.after(drainMs, () => bridge.close());
  } catch {
    // Who runs us has gone, and ends us with it.
  }
}
