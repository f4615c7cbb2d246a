import { lookup, reverse } from "node:dns/promises";
import type { NameSource, Records } from "../egress/dns/name-source.ts";
import { failureOf } from "./node-failure.ts";

/** getaddrinfo() tells no TTL, and the system has a cache of its own: nothing is kept here. */
const UNKNOWN_TTL_MS = 0;

/** Names by this machine's own resolver, its hosts file included. */
export const systemSource: NameSource = {
  addressesOf: (name) =>
    recordsOf(
      lookup(name, { all: true, verbatim: true }).then((found) =>
        // The zone of a link-local address means something on this machine only.
        found.map(({ address }) => address).filter((address) => !address.includes("%")),
      ),
    ),
  namesOf: (host) => recordsOf(reverse(host)),
};

async function recordsOf(looking: Promise<string[]>): Promise<Records> {
  try {
    return { data: await looking, ttlMs: UNKNOWN_TTL_MS };
  } catch (cause) {
    const failure = failureOf("resolve", cause);
    if (failure.reason === "name-not-found") return { data: [], ttlMs: UNKNOWN_TTL_MS };
    throw failure;
  }
}
