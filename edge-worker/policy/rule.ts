import ipaddr from "ipaddr.js";
import * as v from "valibot";
import { type Address, parseHost } from "../../protocol/address.ts";

/** What an agent asks for, by the command of its OPEN. */
export const protocols = ["tcp", "udp", "bind", "resolve"] as const;
export type Protocol = (typeof protocols)[number];

/** Something that rules are asked about. */
export interface Subject {
  /** The key id of the agent. */
  readonly user: string;
  readonly protocol: Protocol;
  /** Where the stream goes: as the agent named it, or an address that its name resolved to. */
  readonly address: Address;
  /** The name that `address` was resolved from; undefined when it was asked for as it is. */
  readonly name?: string | undefined;
}

/** Both ends belong to it. */
type PortRange = readonly [first: number, last: number];
type AddressRange = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Addresses by their range, and names by their domain. */
interface Targets {
  readonly ranges: readonly AddressRange[];
  readonly domains: readonly string[];
}

/** The conditions of a rule. All that are there must fit; an absent one fits everything. */
export interface Match {
  readonly to?: Targets | undefined;
  readonly ports?: readonly PortRange[] | undefined;
  readonly protocol?: readonly Protocol[] | undefined;
  readonly users?: readonly string[] | undefined;
}

/** A rule of the policy; the first that fits decides. */
export interface Rule extends Match {
  readonly action: "allow" | "deny";
}

/**
 * How the target fits the `to` of a match: there is none ("any"), by its address, or by its name.
 * "open": only the address that the name resolves to can tell.
 */
export type Fit = "any" | "address" | "name" | "open";

/** How a match fits; undefined when it does not. */
export function fitOf(match: Match, subject: Subject): Fit | undefined {
  const { ports, protocol, users } = match;
  if (protocol && !protocol.includes(subject.protocol)) return undefined;
  if (users && !users.includes(subject.user)) return undefined;
  const { port } = subject.address;
  if (ports && !ports.some(([first, last]) => port >= first && port <= last)) return undefined;
  return match.to ? targetFit(match.to, subject) : "any";
}

function targetFit(to: Targets, { address, name }: Subject): Fit | undefined {
  const asked = address.kind === "name" ? address.host : name;
  if (asked !== undefined && to.domains.some((domain) => isWithin(asked, domain))) return "name";
  if (address.kind === "name") return to.ranges.length > 0 ? "open" : undefined;
  const parsed = asDialled(ipaddr.parse(address.host));
  const isInRange = to.ranges.some(
    (range) => range[0].kind() === parsed.kind() && parsed.match(range),
  );
  return isInRange ? "address" : undefined;
}

/** ::ffff:a.b.c.d is dialled as a.b.c.d: a rule about that must not have a second spelling. */
function asDialled(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  const isMapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress();
  return isMapped ? address.toIPv4Address() : address;
}

/** A range of such spellings, as the range of what they mean. */
function rangeDialled([address, bits]: AddressRange): AddressRange {
  const dialled = asDialled(address);
  return dialled === address || bits < 96 ? [address, bits] : [dialled, bits - 96];
}

/** "example.com" stands for itself and all names below, ".example.com" for those below alone. */
function isWithin(name: string, domain: string): boolean {
  if (domain.startsWith(".")) return name.endsWith(domain);
  return name === domain || name.endsWith(`.${domain}`);
}

const TO_WORDS = "expected an address, a range such as 10.0.0.0/8, or a domain such as example.com";

const to = v.pipe(
  v.array(v.string(TO_WORDS), TO_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const ranges: AddressRange[] = [];
    const domains: string[] = [];
    for (const text of dataset.value) {
      const entry = parseTarget(text);
      if (entry === undefined) {
        addIssue({ message: `${TO_WORDS}, not ${JSON.stringify(text)}` });
        return NEVER;
      }
      if (typeof entry === "string") domains.push(entry);
      else ranges.push(entry);
    }
    return { ranges, domains };
  }),
);

function parseTarget(text: string): AddressRange | string | undefined {
  if (ipaddr.isValidCIDR(text)) return rangeDialled(ipaddr.parseCIDR(text));
  try {
    const { kind, host } = parseHost(text.replace(/^\./, ""));
    if (kind === "name") return text.startsWith(".") ? `.${host}` : host;
    if (text.startsWith(".")) return undefined;
    return rangeDialled([ipaddr.parse(host), kind === "ipv4" ? 32 : 128]);
  } catch {
    return undefined;
  }
}

const PORT_WORDS = 'expected a port such as 443, or a range such as "6000-6063"';
const port = v.pipe(
  v.union([v.number(), v.string()], PORT_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }): PortRange => {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(dataset.value)) ?? [];
    const range = [Number(first), Number(last)] as const;
    if (range[0] >= 1 && range[1] <= 65_535 && range[0] <= range[1]) return range;
    addIssue({ message: PORT_WORDS });
    return NEVER;
  }),
);

const PROTOCOL_WORDS = `expected one of ${protocols.join(", ")}`;
/** The conditions, as they stand in a file, for the schemas of all that has some. */
export const matchEntries = {
  to: v.optional(to),
  ports: v.optional(v.array(port, "expected a list of ports")),
  protocol: v.optional(v.array(v.picklist(protocols, PROTOCOL_WORDS), "expected a list")),
  users: v.optional(v.array(v.string("expected a key id"), "expected a list of key ids")),
} as const;

/** A rule as it stands in a file. An unknown key is refused: it may be a condition, misspelt. */
export const ruleSchema = v.strictObject({
  action: v.picklist(["allow", "deny"], "expected allow or deny"),
  ...matchEntries,
});
