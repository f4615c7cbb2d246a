import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import * as v from "valibot";
import { PHC_PREFIX, parsePasswordHash } from "../client-agent/listeners/password-hash.ts";
import type { Password } from "../client-agent/node/hash-passwords.ts";
import { describeIssue } from "../edge-worker/users/access.ts";
import { messageOf } from "../protocol/errors.ts";
import type { ListenEndpoint } from "../protocol/node/listening.ts";

/** The path of a file or folder. */
export const fileName = v.pipe(
  v.string("expected a file name"),
  v.nonEmpty("expected a file name"),
);

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

const ENDPOINTS_WORDS =
  "expected HOST:PORT or unix:PATH, such as 0.0.0.0:8443, several as a list or joined by commas";
/** What fits into the address of a Unix socket on every system (unix(7)), with its ending zero. */
const MAX_SOCKET_PATH = 103;
const MAX_ENDPOINTS = 16;

/** A list of places to listen at, or the same joined by commas. */
export const endpoints = v.pipe(
  texts(ENDPOINTS_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const found = dataset.value.map((text) => parseEndpoint(text.trim()));
    const known = found.filter((one) => one !== undefined);
    const isUsable = known.length > 0 && known.length <= MAX_ENDPOINTS;
    if (isUsable && known.length === found.length) return known;
    addIssue({ message: ENDPOINTS_WORDS });
    return NEVER;
  }),
);

function parseEndpoint(text: string): ListenEndpoint | undefined {
  const path = /^unix:([^\0]+)$/.exec(text)?.[1];
  if (path !== undefined) return Buffer.byteLength(path) <= MAX_SOCKET_PATH ? { path } : undefined;
  const result = v.safeParse(endpoint, text);
  return result.success ? result.output : undefined;
}

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

const EDGES_WORDS =
  "expected wss://HOST/PATH (or ws:// for loopback and tests), several as a list or joined by commas";
/** Each has a WebSocket for as long as the agent runs. */
const MAX_EDGES = 16;

/** The URLs of one or several edges, as a list or joined by commas. */
export const edgeUrls = v.pipe(
  texts(EDGES_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }): [URL, ...URL[]] => {
    const urls = dataset.value.map((text) => v.safeParse(edgeUrl, text.trim()));
    const [first, ...others] = urls.flatMap(({ success, output }) => (success ? [output] : []));
    const count = new Set(urls.map(({ output }) => String(output))).size;
    const isUsable = others.length + 1 === urls.length && count === urls.length;
    if (first && isUsable && count <= MAX_EDGES) return [first, ...others];
    addIssue({ message: EDGES_WORDS });
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
export function texts(words: string, comma: RegExp = /,/) {
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

const PROXIES_WORDS =
  "expected address ranges such as 10.0.0.0/8, or unix for Unix sockets, several as a list or joined by commas";

/** The proxies in front that are believed: address ranges, and the word "unix". */
export const proxies = v.pipe(
  texts(PROXIES_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const words = dataset.value.map((text) => text.trim());
    const cidrs = words.filter((word) => word !== "unix");
    if (cidrs.every((text) => ipaddr.isValidCIDR(text))) {
      const isUnixTrusted = cidrs.length < words.length;
      return { ranges: cidrs.map((text) => ipaddr.parseCIDR(text)), isUnixTrusted };
    }
    addIssue({ message: PROXIES_WORDS });
    return NEVER;
  }),
);

const FIELDS_WORDS =
  "expected x-forwarded-for, x-forwarded-host or forwarded, several as a list or joined by commas";
const fieldName = v.pipe(
  v.string(),
  v.trim(),
  v.toLowerCase(),
  v.picklist(["x-forwarded-for", "x-forwarded-host", "forwarded"], FIELDS_WORDS),
);

/** The header fields that trusted proxies set. */
export const forwardedFields = v.pipe(texts(FIELDS_WORDS), v.array(fieldName));
