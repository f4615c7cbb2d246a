import { isIP } from "node:net";
import * as v from "valibot";
import { parseTurnUrl, TURN_URL_WORDS } from "../edge-worker/egress/turn/turn-url.ts";
import { parseHost } from "../protocol/address.ts";

const DNS_WORDS =
  "expected system, or https:// URLs of resolvers, several as a list or joined by commas";

/** "system", or URLs of DNS over HTTPS → the URLs, none for the system's resolver. */
export const dnsUrls = v.pipe(
  v.union([v.array(v.string()), v.string()], DNS_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const { value } = dataset;
    if (value === "system") return [];
    const urls = (typeof value === "string" ? value.split(",") : value).map((text) => text.trim());
    if (urls.length > 0 && urls.every(isHttpUrl)) return urls;
    addIssue({ message: DNS_WORDS });
    return NEVER;
  }),
);

/** A URI of RFC 7065 → the server and whether by TLS. */
export const turnUrl = v.pipe(
  v.string(TURN_URL_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const url = parseTurnUrl(dataset.value);
    if (url) return url;
    addIssue({ message: TURN_URL_WORDS });
    return NEVER;
  }),
);

/** RFC 8489 section 14.3 has room for 508 bytes, three a character. */
export const credential = v.pipe(
  v.string("expected a text"),
  v.regex(/^[^\p{Cc}]{1,169}$/u, "expected 1 to 169 characters"),
);

/** An IP address, without a port and without a zone, which means something on one machine only. */
export const ipAddress = v.pipe(
  v.string("expected an IP address"),
  v.check((text) => isIP(text) !== 0 && !text.includes("%"), "expected an IP address"),
  v.transform(parseHost),
);

const PORTS_WORDS = "expected FIRST-LAST, such as 40000-40100";

/** "40000-40100" → the first and the last port. */
export const portRange = v.pipe(
  v.string(PORTS_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(dataset.value) ?? [];
    const range = [Number(first), Number(last)] as const;
    if (range[0] >= 1 && range[0] <= range[1] && range[1] <= 65_535) return range;
    addIssue({ message: PORTS_WORDS });
    return NEVER;
  }),
);

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  // Plain HTTP is for a resolver on this machine, as ws: is for an edge.
  return url !== null && /^https?:$/.test(url.protocol) && !/\s/.test(text);
}
