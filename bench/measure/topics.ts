/** What --only may name, in the order of the report. */
export const TOPICS = [
  "download",
  "upload",
  "download32",
  "cpu",
  "sessions",
  "ping",
  "idle",
  "still",
  "udp",
  "relay",
  "link50",
  "first-byte",
  "link200",
  "losses",
  "resumption",
  "growth-sessions",
  "growth-streams",
  "growth-writes",
] as const;

/** A group of rows that are measured together. */
export type Topic = (typeof TOPICS)[number];

/** How many bytes a second go through, and what they cost. */
export const BULK_TOPICS: readonly Topic[] = ["download", "upload", "download32", "cpu"];

/** What every proxy can be measured in, link or none. */
export const LOOPBACK_TOPICS: readonly Topic[] = [...BULK_TOPICS, "sessions", "ping", "idle"];

/** What needs a link between the ends of a tunnel. */
export const LINK_TOPICS: readonly Topic[] = ["link50", "first-byte", "link200"];

/** What concerns sessions that outlive their carriers. */
export const RESUMPTION_TOPICS: readonly Topic[] = ["losses", "resumption"];

/** How the cost of a byte grows. */
export const GROWTH_TOPICS: readonly Topic[] = ["growth-streams", "growth-writes"];

const SLOW_TOPICS: ReadonlySet<Topic> = new Set<Topic>([
  "still",
  "relay",
  ...LINK_TOPICS,
  ...RESUMPTION_TOPICS,
  "growth-sessions",
  ...GROWTH_TOPICS,
]);

/** What takes about five minutes in all. */
export const ORDINARY_TOPICS: readonly Topic[] = TOPICS.filter((topic) => !SLOW_TOPICS.has(topic));

/** What --quick measures. */
export const QUICK_TOPICS: readonly Topic[] = [...BULK_TOPICS, "sessions", "ping"];
