import * as v from "valibot";
import { KEY_ID, MIN_SECRET_LENGTH } from "../../protocol/admission.ts";
import { ruleSchema } from "../policy/rule.ts";
import { byteCount } from "./byte-count.ts";

/** What a user may use up; an absent limit is none. */
export interface Limits {
  /** Streams at once, over all sessions. */
  readonly streams?: number | undefined;
  readonly streamsPerMinute?: number | undefined;
  /** Stream and datagram bytes of both directions, from midnight to midnight UTC. */
  readonly bytesPerDay?: number | undefined;
  /** In each direction. */
  readonly bytesPerSecond?: number | undefined;
}

const atLeastOne = v.pipe(
  v.number("expected a whole number"),
  v.integer("expected a whole number"),
  v.minValue(1, "expected at least 1"),
);
const DATE_WORDS = "expected a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z";

/** A date of TOML, or its text in JSON → milliseconds of the Unix epoch. */
const moment = v.pipe(
  v.union([v.string(), v.date()], DATE_WORDS),
  v.transform((value) => new Date(value).getTime()),
  v.check((ms) => Number.isFinite(ms), DATE_WORDS),
);

/** A user as it stands in a file or in the Worker's secret EDGESOCKS_KEYS. */
const userSchema = v.pipe(
  v.strictObject({
    id: v.pipe(v.string("expected a text"), v.regex(KEY_ID, "expected 1 to 32 of A-Z a-z 0-9 _ -")),
    secret: v.pipe(
      v.string("expected a text"),
      v.minLength(MIN_SECRET_LENGTH, `expected at least ${MIN_SECRET_LENGTH} characters`),
    ),
    expires: v.optional(moment),
    streams: v.optional(atLeastOne),
    "streams-per-minute": v.optional(atLeastOne),
    "bytes-per-day": v.optional(byteCount),
    "bytes-per-second": v.optional(byteCount),
    rules: v.optional(v.array(ruleSchema, "expected a list of rules"), []),
  }),
  v.transform((entry) => ({
    id: entry.id,
    secret: entry.secret,
    expiresAt: entry.expires ?? Infinity,
    rules: entry.rules,
    limits: {
      streams: entry.streams,
      streamsPerMinute: entry["streams-per-minute"],
      bytesPerDay: entry["bytes-per-day"],
      bytesPerSecond: entry["bytes-per-second"],
    } satisfies Limits,
  })),
);

/** Somebody with a key to this edge. */
export type User = v.InferOutput<typeof userSchema>;

/** All users of an edge. */
export const usersSchema = v.pipe(
  v.array(userSchema, "expected a list of keys"),
  v.nonEmpty("expected at least one key"),
  v.check(
    (users) => new Set(users.map(({ id }) => id)).size === users.length,
    "expected every id once",
  ),
);
