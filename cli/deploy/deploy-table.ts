import * as v from "valibot";
import { type LocationHint, locationHints } from "../../edge-worker/worker-variables.ts";
import { edgeUrl, seconds, toggle } from "../setting-types.ts";
import type { Setting, SettingsTable } from "../settings.ts";

const hints = Object.keys(locationHints) as LocationHint[];

const PLACEMENT_WORDS = "expected off, smart, or a region such as aws:eu-central-1";

/** A DNS name with a dot in it. */
const DOMAIN = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/;

const VARIABLE = /^([A-Z][A-Z0-9_]*)=([^]*)$/;
const VARIABLES_WORDS = 'expected NAME=VALUE, several as a list ["A=b", "C=d"] or A=b,C=d';

/** A list of NAME=VALUE, or the same joined by commas → a map of values by name. */
export const workerVars = v.pipe(
  v.union(
    [
      v.array(v.string()),
      v.pipe(
        v.string(),
        // A value may have commas of its own.
        v.transform((text) => text.split(/,(?=[A-Z][A-Z0-9_]*=)/)),
      ),
    ],
    VARIABLES_WORDS,
  ),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const values = new Map<string, string>();
    for (const entry of dataset.value) {
      const [, name, value] = VARIABLE.exec(entry) ?? [];
      if (name === undefined || value === undefined || values.has(name)) {
        addIssue({ message: VARIABLES_WORDS });
        return NEVER;
      }
      values.set(name, value);
    }
    return values;
  }),
);

/** The settings that `edgesocks deploy` alone has. */
export const deployTable = {
  name: {
    schema: v.pipe(
      v.string(),
      v.regex(
        /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
        "expected 1 to 63 of a-z 0-9 -, with no - at either end",
      ),
    ),
    value: "name",
    help: "Name of the Worker (default: as in wrangler.toml)",
  },
  "account-id": {
    schema: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "expected 32 hexadecimal digits")),
    value: "id",
    help: "Account at Cloudflare (default: the only one that you are logged in to)",
  },
  "location-hint": {
    schema: v.picklist(hints, `expected one of ${hints.join(" ")}`),
    value: "region",
    help: `Where to make the Durable Object: ${hints.join(" ")} (default: near its first agent)`,
  },
  placement: {
    schema: v.pipe(
      v.string(),
      v.regex(/^(off|smart|(aws|gcp|azure):[a-z0-9-]+)$/, PLACEMENT_WORDS),
    ),
    value: "place",
    help: "Where a stateless Worker runs: off, smart, or near a region such as aws:eu-central-1 (default: as in wrangler.toml)",
  },
  domain: {
    schema: v.pipe(v.string(), v.regex(DOMAIN, "expected a domain such as edge.example.com")),
    value: "domain",
    help: "Domain of yours at Cloudflare that the Worker is to answer at",
  },
  "workers-dev": {
    schema: toggle,
    value: "boolean",
    help: "Whether it answers at NAME.SUBDOMAIN.workers.dev (default: as in wrangler.toml)",
  },
  "worker-vars": {
    schema: workerVars,
    value: "list",
    help: "Further variables of the Worker, as NAME=VALUE",
  },
  "wrangler-config": {
    schema: v.pipe(v.string(), v.nonEmpty("expected a file name")),
    value: "file",
    help: "The wrangler.toml to start from; it is not changed (default: that of edgesocks)",
  },
  "worker-url": {
    schema: edgeUrl,
    value: "url",
    help: "Where the Worker is reached, wss://HOST/ (default: as wrangler says)",
  },
  "health-timeout": {
    schema: seconds(1, 900),
    value: "seconds",
    fallback: 180,
    help: "Seconds to wait until the Worker answers",
  },
  "dry-run": {
    schema: toggle,
    fallback: false,
    isFlagOnly: true,
    help: "Check and bundle, put nothing up; needs neither account nor network",
  },
} as const satisfies SettingsTable;

/** A setting that another command has, too; what nobody sets stays as wrangler.toml has it. */
export function asInWrangler<Shared extends Setting>(
  shared: Shared,
  help: string = shared.help,
): Omit<Shared, "fallback"> {
  const { fallback: _, ...rest } = shared;
  return { ...rest, help: `${help} (default: as in wrangler.toml)` };
}
