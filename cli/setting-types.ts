import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import * as v from "valibot";
import { PHC_PREFIX, parsePasswordHash } from "../client-agent/listeners/password-hash.ts";
import type { Password } from "../client-agent/node/hash-passwords.ts";
import { describeIssue } from "../edge-worker/users/access.ts";
import { messageOf } from "../protocol/errors.ts";

/** "HOST:PORT" with an IPv6 host in brackets → host and port; port 0 takes any free port. */
export const endpoint = v.pipe(
  v.string("expected HOST:PORT"),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^[\]:\s]+)):(\d{1,5})$/.exec(dataset.value);
    const host = match?.[1] ?? match?.[2] ?? "";
    const port = Number(match?.[3]);
    if (match && port <= 65_535 && (match[1] === undefined || isIP(host) === 6))
      return { host, port };
    addIssue({ message: "expected HOST:PORT, such as 127.0.0.1:1080 or [::1]:1080" });
    return NEVER;
  }),
);

/** The URL of an edge, ws: or wss:. */
export const edgeUrl = v.pipe(
  v.string("expected a URL"),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const url = URL.parse(dataset.value);
    const isEdge = url !== null && (url.protocol === "ws:" || url.protocol === "wss:");
    if (isEdge && url.username === "" && url.password === "" && url.hash === "") return url;
    addIssue({ message: "expected wss://HOST/PATH (or ws:// for loopback and tests)" });
    return NEVER;
  }),
);

const SWITCH_WORDS = "expected true or false";

/** A TOML boolean, or its word in a variable. */
export const toggle = v.union(
  [
    v.boolean(),
    v.pipe(
      v.picklist(["true", "false"]),
      v.transform((word) => word === "true"),
    ),
  ],
  SWITCH_WORDS,
);

/** Seconds, as a number or its text → milliseconds. */
export function seconds(min: number, max: number) {
  const text = `expected ${min} to ${max} seconds`;
  return v.pipe(
    v.union(
      [v.number(), v.pipe(v.string(), v.regex(/^\d+(\.\d+)?$/, text), v.transform(Number))],
      text,
    ),
    v.minValue(min, text),
    v.maxValue(max, text),
    v.transform((value) => value * 1000),
  );
}

/** A TOML list of texts, or one text with commas; `comma` tells which of them part it. */
function texts(words: string, comma: RegExp = /,/) {
  return v.union(
    [
      v.array(v.string()),
      v.pipe(
        v.string(),
        v.transform((text) => text.split(comma)),
      ),
    ],
    words,
  );
}

const NAME_AND_PASSWORD = /^([^:]+):(.+)$/;
/** What RFC 1929 section 2 has room for, in bytes. */
const MAX_CREDENTIAL = 255;
const USERS_WORDS =
  'expected NAME:PASSWORD, each of 1 to 255 bytes, several as a list ["a:b"] or a:b,c:d';
/** Not the two within the parameters of a hash: $scrypt$ln=15,r=8,p=1$... */
const USERS_COMMA = /(?<!:\$scrypt\$ln=\d+(?:,r=\d+)?),/;

/** A list of NAME:PASSWORD or NAME:HASH, or the same joined by commas → a map by name. */
export const users = v.pipe(
  texts(USERS_WORDS, USERS_COMMA),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const passwords = new Map<string, Password>();
    for (const entry of dataset.value) {
      const [, name, password] = NAME_AND_PASSWORD.exec(entry) ?? [];
      if (!isCredential(name) || !isCredential(password) || passwords.has(name)) {
        addIssue({ message: USERS_WORDS });
        return NEVER;
      }
      try {
        const isHash = password.startsWith(PHC_PREFIX);
        passwords.set(name, isHash ? parsePasswordHash(password) : password);
      } catch (error) {
        addIssue({ message: messageOf(error) });
        return NEVER;
      }
    }
    return passwords;
  }),
);

/** Whether RFC 1929 has room for a name or password. */
export function isCredential(text: string | undefined): text is string {
  return text !== undefined && text !== "" && Buffer.byteLength(text) <= MAX_CREDENTIAL;
}

/** A list of tables that `entries` can read, or the same as JSON text → as it was written. */
export function structured<Schema extends v.GenericSchema>(entries: Schema) {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }): v.InferInput<Schema> => {
      const value = typeof dataset.value === "string" ? parseJson(dataset.value) : dataset.value;
      const result = v.safeParse(entries, value);
      if (result.success) return value;
      addIssue({ message: describeIssue(result.issues[0]).replace(/^: /, "") });
      return NEVER;
    }),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A whole number, or its text. */
export function count(min: number, max: number) {
  const text = `expected a whole number from ${min} to ${max}`;
  return v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.regex(/^\d+$/, text), v.transform(Number))], text),
    v.integer(text),
    v.minValue(min, text),
    v.maxValue(max, text),
  );
}

const RANGES_WORDS =
  "expected address ranges such as 127.0.0.0/8, several as a list or joined by commas";

/** A list of CIDR ranges, or the same joined by commas. */
export const ranges = v.pipe(
  texts(RANGES_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const texts = dataset.value.map((text) => text.trim());
    if (texts.every((text) => ipaddr.isValidCIDR(text))) {
      return texts.map((text) => ipaddr.parseCIDR(text));
    }
    addIssue({ message: RANGES_WORDS });
    return NEVER;
  }),
);
