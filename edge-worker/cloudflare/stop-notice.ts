import type { Bridge } from "../bridge.ts";
import { workerClock } from "./worker-clock.ts";

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
