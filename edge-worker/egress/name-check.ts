import ipaddr from "ipaddr.js";
import { parseAddress } from "../../protocol/address.ts";
import type { NameCheck } from "./diagnosis.ts";
import { askDns, type Fetch } from "./dns-client.ts";

/** What addresses a name has, by a DNS-over-HTTPS resolver. */
export function createNameCheck(resolverUrl: string, fetcher?: Fetch): NameCheck {
  return async (name) => {
    const answers = await Promise.all([
      askDns(resolverUrl, name, "A", fetcher),
      askDns(resolverUrl, name, "AAAA", fetcher),
    ]);
    // CNAMEs on the way are passed over.
    const addresses = answers
      .flatMap((answer) => (answer.status === "found" ? answer.data : []))
      .filter((data) => ipaddr.isValid(data))
      .map((data) => parseAddress(data, 0));
    const isKnown = answers.every(({ status }) => status !== "unknown");
    return addresses.length > 0 || isKnown ? addresses : undefined;
  };
}
