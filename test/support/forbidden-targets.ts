/*
 * Spellings of targets that no edge reaches unless private targets are allowed. One table for both
 * runtimes and every way in: see test/contract/forbidden.test.ts.
 */

/** Hosts that are denied (REP 2), by what they are. */
export const forbiddenTargets: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"],
  "this host": ["0.0.0.0", "0.0.0.1", "0.255.255.255", "0", "::", "0:0:0:0:0:0:0:0"],
  "private-use": ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.1.1"],
  "link-local and metadata": ["169.254.169.254", "169.254.0.1", "fe80::1", "fe80::a9fe:a9fe"],
  "shared address space": ["100.64.0.1", "100.100.100.200", "100.127.255.254"],
  "protocol assignments": ["192.0.0.1", "192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.0.192"],
  documentation: ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
  benchmarking: ["198.18.0.1", "198.19.255.254", "2001:2::1"],
  "anycast services": ["192.31.196.1", "192.52.193.1", "192.175.48.1", "192.88.99.1", "2001:1::1"],
  "anycast services, IPv6": ["2001:3::1", "2001:4:112::1", "2620:4f:8000::1"],
  "multicast and reserved": ["224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"],
  "multicast and reserved, IPv6": ["ff02::1", "ff0e::1", "4000::1", "e000::1", "fec0::1"],
  "unique-local": ["fc00::1", "fd00::1", "fd00:ec2::254", "fdff:ffff::1"],
  "other purposes": ["100::1", "100:0:0:1::1", "5f00::1", "2001:20::1", "2001:30::1", "2001:10::1"],
  "IPv4-mapped": [
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::FFFF:10.0.0.1",
    "0:0:0:0:0:ffff:a9fe:a9fe",
  ],
  "IPv4-compatible and -translated": ["::127.0.0.1", "::a00:1", "::ffff:0:127.0.0.1"],
  NAT64: ["64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::10.0.0.1", "64:ff9b::c0a8:101"],
  "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1", "2002:a9fe:a9fe::1"],
  Teredo: ["2001:0:7f00:1::1", "2001:0:808:808::80ff:fffe", "2001:0:a00:1:0:0:f5ff:fffe"],
  ISATAP: ["2600::5efe:127.0.0.1", "2600::200:5efe:10.0.0.1", "fe80::5efe:c0a8:101"],
  "fewer parts": ["127.1", "127.0.1", "10.1", "192.168.257", "169.16689662"],
  "one number": ["2130706433", "167772161", "2852039166", "3232235777", "4294967295"],
  hexadecimal: ["0x7f.1", "0x7f000001", "0x7f.0x0.0x0.0x1", "0X7F000001", "0xa9fea9fe", "0x7F.1"],
  octal: ["0177.0.0.1", "017700000001", "0177.1", "012.0.0.1", "0300.0250.1.1", "00000177.0.0.1"],
  mixed: ["0x7f.0.0.01", "0177.0x0.0.1", "127.0x1", "0xa.1"],
  "trailing dots": ["127.0.0.1.", "2130706433.", "0x7f.1.", "10.0.0.1.", "localhost."],
  "other digits": [
    "①②⑦.⓪.⓪.①",
    "１２７.０.０.１",
    "127.０.0.1",
    "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
    "⑩.0.0.1",
    "¹²⁷.0.0.1",
  ],
  "other dots": [
    "127。0。0。1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "localhost。",
    "10。1",
    "２１３０７０６４３３",
  ],
  "what is left out": [
    "127.0.0.1\u00ad",
    "local\u00adhost",
    "127\u200b.0.0.1",
    "1\ufe002\ufe007.0.0.1",
  ],
  brackets: ["[::1]", "[::ffff:127.0.0.1]", "[::]", "[FE80::1]", "[0:0:0:0:0:0:0:1]"],
  localhost: [
    "localhost",
    "LOCALHOST",
    "LocalHost",
    "www.localhost",
    "a.b.localhost.",
    "ⓛocalhost",
  ],
  "localhost, wide": ["ｌｏｃａｌｈｏｓｔ", "localhost.localdomain", "ℓocalhost", "𝓁ocalhost"],
  "local names": ["printer.local", "PRINTER.LOCAL", "router.home.arpa", "nas.lan", "wiki.corp"],
  "internal names": [
    "metadata.google.internal",
    "kubernetes.internal.",
    "db.private",
    "x.intranet",
  ],
};

/** All of them, with why. */
export const forbiddenHosts: readonly (readonly [host: string, why: string])[] = Object.entries(
  forbiddenTargets,
).flatMap(([why, hosts]) => hosts.map((host) => [host, why] as const));

/** Spellings that are no host at all: refused before anybody asks a policy (REP 4, status 400). */
export const notHosts: readonly string[] = [
  "%31%32%37.0.0.1",
  "127%2e0.0.1",
  "%6cocalhost",
  "localhost%00.example",
  "localhost%2f.example",
  "127.0.0.1%2f",
  "127.0.0.1\u0000.example",
  "127.0.0.1/",
  "127.0.0.1#.example",
  "127.0.0.1?.example",
  "user@127.0.0.1",
  "127.0.0.1:80",
  " 127.0.0.1",
  "127.0.0.1\t",
  "127.0.0.1\r\n",
  "127.0.0.1\\",
  "127.0.0.256",
  "127.0.0.1.1",
  "0x100000000",
  "08.0.0.1",
  "0x7g.1",
  "127..1",
  "..127.0.0.1",
  "127.0.0.1..",
  "localhost..",
  "fe80::1%lo",
  "::1%25lo",
  "[::1%lo]",
  "[127.0.0.1]",
  "[::1",
  "::1]",
  "[[::1]]",
  "::ffff:127.0.0.1.",
  "::ffff:0x7f.1",
  "１２７。０。０。１／",
];

/** Names of a hosts file that mean private addresses, as a hostile zone would have them. */
export const privateNames: readonly (readonly [name: string, ...addresses: string[]])[] = [
  ["loopback.example", "127.0.0.1"],
  ["loopback6.example", "::1"],
  ["both.example", "127.0.0.1", "::1"],
  ["router.example", "192.168.1.1"],
  ["metadata.example", "169.254.169.254"],
  ["mapped.example", "::ffff:127.0.0.1"],
  ["nat64.example", "64:ff9b::7f00:1"],
  ["sixtofour.example", "2002:7f00:1::1"],
  ["unspecified.example", "0.0.0.0"],
  ["unique.example", "fd00::1"],
  ["127.0.0.1.nip.io", "127.0.0.1"],
  ["10-0-0-1.sslip.io", "10.0.0.1"],
  ["localtest.me", "127.0.0.1"],
  ["xn--bcher-kva.example", "10.0.0.1"],
];

/** Names and addresses that must be reached, or nothing would be shown by those that are not. */
export const publicTargets: readonly (readonly [host: string, reached: string])[] = [
  ["8.8.8.8", "8.8.8.8"],
  ["2606:4700:4700::1111", "2606:4700:4700::1111"],
  ["public.example", "1.1.1.1"],
  // Behind a private address that is left out.
  ["mixed.example", "9.9.9.9"],
];

/** The lines of that hosts file. */
export const hostsFile: string = [
  ["localhost", "127.0.0.1"],
  ["public.example", "1.1.1.1"],
  ["mixed.example", "127.0.0.1", "9.9.9.9"],
  ...privateNames,
]
  .flatMap(([name, ...addresses]) => addresses.map((address) => `${address} ${name}\n`))
  .join("");
