import * as v from "valibot";
import type { DeploySettings } from "./worker-plan.ts";

/** What wrangler writes to the file that WRANGLER_OUTPUT_FILE_PATH names, one JSON object a line. */
const DEPLOYMENT = v.object({ type: v.literal("deploy"), targets: v.array(v.string()) });

/** The URLs in a text that end in workers.dev, without what stands behind them. */
const ON_WORKERS_DEV = /https:\/\/[a-z0-9.-]+\.workers\.dev(?![a-z0-9.-])/g;

/**
 * Where agents reach a Worker that wrangler has put up: what the settings say, else what wrangler
 * reported in its output file or, for one that writes none, in its lines. Undefined when neither did.
 */
export function edgeOf(
  { "worker-url": url, domain }: Pick<DeploySettings, "worker-url" | "domain">,
  outputFile: string,
  lines: readonly string[],
): URL | undefined {
  if (url) return url;
  if (domain !== undefined) return new URL(`wss://${domain}/`);
  const [first] = [...targetsIn(outputFile), ...lines].flatMap(
    (text) => text.match(ON_WORKERS_DEV) ?? [],
  );
  return first === undefined ? undefined : new URL(`${first.replace(/^https/, "wss")}/`);
}

/** The page of an edge at which it says how it is. */
export function healthPageOf(edge: URL): URL {
  return new URL("/healthz", edge.href.replace(/^ws/, "http"));
}

function targetsIn(outputFile: string): string[] {
  return outputFile.split("\n").flatMap((line) => {
    const result = v.safeParse(DEPLOYMENT, parseLine(line));
    return result.success ? result.output.targets : [];
  });
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
