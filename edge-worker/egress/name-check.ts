import * as v from "valibot";
import type { NameCheck } from "./diagnosis.ts";

const ANSWER = v.object({ Status: v.number(), Answer: v.optional(v.array(v.unknown())) });
/** RCODE of RFC 1035 section 4.1.1 for "no such name". */
const NXDOMAIN = 3;
const NO_ERROR = 0;
/** The client has waited for the dial already. */
const TIMEOUT_MS = 3000;

/** Asks a DNS-over-HTTPS resolver that speaks `application/dns-json`. */
export function createNameCheck(resolverUrl: string): NameCheck {
  return async (name) => {
    const answers = await Promise.all([
      ask(resolverUrl, name, "A"),
      ask(resolverUrl, name, "AAAA"),
    ]);
    if (answers.includes("exists")) return true;
    return answers.every((answer) => answer === "missing") ? false : undefined;
  };
}

async function ask(
  resolverUrl: string,
  name: string,
  type: "A" | "AAAA",
): Promise<"exists" | "missing" | "unknown"> {
  const url = new URL(resolverUrl);
  url.searchParams.set("name", name);
  url.searchParams.set("type", type);
  try {
    const response = await fetch(url, {
      headers: { accept: "application/dns-json" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const { Status, Answer } = v.parse(ANSWER, await response.json());
    if (Status === NXDOMAIN) return "missing";
    if (Status !== NO_ERROR) return "unknown";
    return Answer && Answer.length > 0 ? "exists" : "missing";
  } catch {
    // No resolver, no diagnosis: the dial has failed either way.
    return "unknown";
  }
}
