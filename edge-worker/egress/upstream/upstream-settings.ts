import * as v from "valibot";
import { ConfigError, messageOf } from "../../../protocol/errors.ts";
import { matchEntries } from "../../policy/rule.ts";
import { describeIssue } from "../../users/access.ts";
import { parseUpstreamUrl } from "./upstream-url.ts";

const MODE_WORDS = "expected always or fallback";
/** Each is asked about every stream, in order. */
const MAX_UPSTREAMS = 64;

const address = v.pipe(
  v.string("expected a URL"),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    try {
      return parseUpstreamUrl(dataset.value);
    } catch (error) {
      addIssue({ message: messageOf(error) });
      return NEVER;
    }
  }),
);

/** One upstream as it stands in a file. An unknown key is refused: it may be a condition, misspelt. */
const upstreamSchema = v.strictObject({
  url: address,
  mode: v.optional(v.picklist(["always", "fallback"], MODE_WORDS), "fallback"),
  /** By default the edge resolves names for a proxy, and another edge by itself, which has a policy. */
  resolve: v.optional(v.picklist(["here", "upstream"], "expected here or upstream")),
  for: v.optional(v.literal("cloudflare", "expected cloudflare")),
  ...matchEntries,
});

export const upstreamsSchema = v.pipe(
  v.array(upstreamSchema, "expected a list of upstreams"),
  v.maxLength(MAX_UPSTREAMS, `expected ${MAX_UPSTREAMS} upstreams at most`),
);

/** Upstreams as people write them, in a file or as JSON; parseUpstreams() reads them. */
export type UpstreamEntries = v.InferInput<typeof upstreamsSchema>;
/** One upstream, read. */
export type UpstreamSettings = v.InferOutput<typeof upstreamSchema>;

/** @throws ConfigError that names the entry and what is wrong with it, and no password */
export function parseUpstreams(entries: unknown): readonly UpstreamSettings[] {
  const result = v.safeParse(upstreamsSchema, entries);
  if (result.success) return result.output;
  throw new ConfigError(`Cannot use upstreams${describeIssue(result.issues[0])}`);
}
