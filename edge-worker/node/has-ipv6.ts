import { networkInterfaces } from "node:os";

/** Whether this machine has an IPv6 address that reaches beyond its own link. */
export function hasIpv6(interfaces: typeof networkInterfaces = networkInterfaces): boolean {
  return Object.values(interfaces())
    .flatMap((addresses) => addresses ?? [])
    .some(
      ({ family, address, internal }) => family === "IPv6" && !internal && !isLinkLocal(address),
    );
}

/** fe80::/10. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
