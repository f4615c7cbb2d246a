import * as v from "valibot";

export type RecordType = "A" | "AAAA" | "PTR";

/** What a resolver says of a name: it has records, it has none, or it could not be told. */
export type DnsAnswer =
  | { readonly status: "found"; readonly data: readonly string[] }
  | { readonly status: "missing" | "unknown" };

const RECORD = v.object({ data: v.optional(v.string(), "") });
const ANSWER = v.object({ Status: v.number(), Answer: v.optional(v.array(RECORD), []) });
/** RCODEs of RFC 1035 section 4.1.1. */
const Rcode = { NoError: 0, NameError: 3 } as const;
const TIMEOUT_MS = 3000;

/** What of fetch() a lookup needs; the platform's own, or one that reaches the resolver alone. */
export type Fetch = (
  url: URL,
  init: { readonly headers: Record<string, string>; readonly signal: AbortSignal },
) => Promise<{ json(): Promise<unknown> }>;

/** Asks a DNS-over-HTTPS resolver that speaks `application/dns-json`. Never rejects. */
export async function askDns(
  resolverUrl: string,
  name: string,
  type: RecordType,
  fetcher: Fetch = fetch,
): Promise<DnsAnswer> {
  const url = new URL(resolverUrl);
  url.searchParams.set("name", name);
  url.searchParams.set("type", type);
  try {
    const response = await fetcher(url, {
      headers: { accept: "application/dns-json" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const { Status, Answer } = v.parse(ANSWER, await response.json());
    if (Status === Rcode.NameError) return { status: "missing" };
    if (Status !== Rcode.NoError) return { status: "unknown" };
    if (Answer.length === 0) return { status: "missing" };
    return { status: "found", data: Answer.map(({ data }) => data) };
  } catch {
    // No resolver, or one that does not speak our language: nothing is known of the name.
    return { status: "unknown" };
  }
}
