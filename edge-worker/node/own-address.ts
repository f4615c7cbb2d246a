import { readFileSync } from "node:fs";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";

type Family = "ipv4" | "ipv6";

/** The interfaces of a machine, as os.networkInterfaces() has them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Where Linux shows its routes; other systems have no such files. */
const ROUTES = { ipv4: "/proc/net/route", ipv6: "/proc/net/ipv6_route" } as const;
const RTF_UP = 0x0001;
const RTF_REJECT = 0x0200;

/**
 * The address that the world sees of this machine, as far as it can tell itself: that of the default
 * route, else any that is not for this machine or link alone, else loopback. Nothing is sent.
 */
export function ownAddress(
  family: Family,
  interfaces: Interfaces = networkInterfaces(),
  routes: string = readRoutes(family),
): string | undefined {
  const all = Object.values(interfaces).flatMap((infos = []) => infos);
  const ofDefaultRoute = interfaces[defaultInterface(family, routes) ?? ""] ?? [];
  const isOfFamily = (info: NetworkInterfaceInfo): boolean => info.family.toLowerCase() === family;
  const isWide = (info: NetworkInterfaceInfo): boolean => {
    const isLinkLocal = ipaddr.isValid(info.address) && rangeOf(info.address) === "linkLocal";
    return isOfFamily(info) && !info.internal && !isLinkLocal;
  };
  const found = ofDefaultRoute.find(isWide) ?? all.find(isWide) ?? all.find(isOfFamily);
  return found?.address;
}

function rangeOf(address: string): string {
  return ipaddr.parse(address).range();
}

/** The interface of the default route with the smallest metric. */
function defaultInterface(family: Family, routes: string): string | undefined {
  const rows = routes.split("\n").map((line) => line.trim().split(/\s+/));
  const defaults = rows.flatMap((row) => (family === "ipv4" ? parseIpv4(row) : parseIpv6(row)));
  return defaults.toSorted((a, b) => a.metric - b.metric)[0]?.name;
}

interface DefaultRoute {
  readonly name: string;
  readonly metric: number;
}

/** proc(5): Iface Destination Gateway Flags RefCnt Use Metric Mask ... */
function parseIpv4(row: readonly string[]): DefaultRoute[] {
  const [name = "", destination, , flags = "", , , metric = "", mask] = row;
  const isDefault = destination === "00000000" && mask === "00000000";
  return isDefault && isUsable(flags) ? [{ name, metric: Number(metric) }] : [];
}

/** Destination, prefix length, source, prefix length, next hop, metric, count, uses, flags, device. */
function parseIpv6(row: readonly string[]): DefaultRoute[] {
  const [destination, length, , , , metric = "", , , flags = "", name = ""] = row;
  const isDefault = destination === "0".repeat(32) && length === "00";
  return isDefault && isUsable(flags) ? [{ name, metric: Number.parseInt(metric, 16) }] : [];
}

function isUsable(flags: string): boolean {
  const bits = Number.parseInt(flags, 16);
  return (bits & RTF_UP) !== 0 && (bits & RTF_REJECT) === 0;
}

function readRoutes(family: Family): string {
  try {
    return readFileSync(ROUTES[family], "utf8");
  } catch {
    return "";
  }
}
