import type { NameCheck } from "./diagnosis.ts";
import { askDns, type Fetch } from "./dns-client.ts";

/** Whether a name has an address, by a DNS-over-HTTPS resolver. */
export function createNameCheck(resolverUrl: string, fetcher?: Fetch): NameCheck {
  return async (name) => {
    const answers = await Promise.all([
      askDns(resolverUrl, name, "A", fetcher),
      askDns(resolverUrl, name, "AAAA", fetcher),
    ]);
    if (answers.some(({ status }) => status === "found")) return true;
    return answers.every(({ status }) => status === "missing") ? false : undefined;
  };
}
