import { StreamError } from "../../../protocol/errors.ts";
import { arpaNameOf } from "./arpa-name.ts";
import {
  decodeDnsMessage,
  type DnsMessage,
  encodeQuery,
  Rcode,
  RecordType,
} from "./dns-message.ts";
import { type DohOptions, exchangeByHttps } from "./doh-client.ts";
import type { NameSource, Records } from "./name-source.ts";

/** Names by DNS over HTTPS: each resolver of `urls` in turn, until one gives an answer. */
export function createDohSource(urls: readonly string[], options: DohOptions): NameSource {
  const ask = async (name: string, type: number): Promise<Records> => {
    let failure: unknown = new StreamError(
      "host-unreachable",
      "Cannot resolve: no resolver is set",
    );
    for (const url of urls) {
      try {
        const response = await exchangeByHttps(url, encodeQuery(0, name, type), options);
        return recordsOf(decodeDnsMessage(response), type);
      } catch (error) {
        failure = error;
      }
    }
    throw failure instanceof StreamError
      ? failure
      : new StreamError("host-unreachable", "Cannot resolve: the resolver gave no answer", {
          cause: failure,
        });
  };
  return {
    addressesOf: async (name) => {
      const types = [RecordType.A, RecordType.AAAA];
      const asked = await Promise.allSettled(types.map((type) => ask(name, type)));
      const known = asked.flatMap((outcome) =>
        outcome.status === "fulfilled" ? [outcome.value] : [],
      );
      const found = known.filter(({ data }) => data.length > 0);
      const failure = asked.find(({ status }) => status === "rejected");
      // One type that is there is enough; that there is none must be known of both.
      if (failure?.status === "rejected" && found.length === 0) throw failure.reason;
      const holding = found.length > 0 ? found : known;
      const data = found.flatMap((records) => records.data);
      return { data, ttlMs: failure ? 0 : Math.min(...holding.map(({ ttlMs }) => ttlMs)) };
    },
    namesOf: (host) => ask(arpaNameOf(host), RecordType.PTR),
  };
}

/** The records of the type that was asked for; CNAMEs on the way count for the TTL alone. */
function recordsOf({ rcode, answers, authorities }: DnsMessage, type: number): Records {
  if (rcode !== Rcode.NoError && rcode !== Rcode.NameError) {
    throw new StreamError("host-unreachable", `Cannot resolve: the resolver answered ${rcode}`);
  }
  const found = rcode === Rcode.NoError ? answers.filter((record) => record.type === type) : [];
  const data = found.flatMap(({ text }) => (text === undefined ? [] : [text]));
  if (data.length > 0) {
    return { data, ttlMs: 1000 * Math.min(...answers.map(({ ttlSeconds }) => ttlSeconds)) };
  }
  // RFC 2308 section 5: what is not there is known for the lesser of the SOA's TTL and its MINIMUM,
  // the last field of its data; without a SOA, for no time at all.
  const soa = authorities.find((record) => record.type === RecordType.SOA);
  if (!soa || soa.data.length < 4) return { data, ttlMs: 0 };
  const { buffer, byteOffset, length } = soa.data;
  const minimum = new DataView(buffer, byteOffset + length - 4, 4).getUint32(0);
  return { data, ttlMs: 1000 * Math.min(soa.ttlSeconds, minimum) };
}
