/**
 * Names that by these documents mean something on the local network only. A name that merely
 * resolves to a private address, such as those of wildcard DNS services (127.0.0.1.nip.io), cannot
 * be told by its text: what it resolves to is looked at where it is resolved.
 */
const LOCAL_SUFFIXES: readonly string[] = [
  // RFC 6761 section 6.3, RFC 6762 section 3, RFC 8375, and what ICANN reserved in 2024.
  "localhost",
  "local",
  "home.arpa",
  "internal",
  // RFC 6762 appendix G: never delegated, and in use on private networks.
  "corp",
  "home",
  "intranet",
  "lan",
  "private",
  // RFC 9462 and RFC 9665: the nearest resolver and registrar.
  "resolver.arpa",
  "service.arpa",
  // "localhost.localdomain", which many hosts files have.
  "localdomain",
];

/** Whether a canonical name can only mean a machine on the edge's own network. */
export function isLocalName(name: string): boolean {
  return LOCAL_SUFFIXES.some((suffix) => name === suffix || name.endsWith(`.${suffix}`));
}
