/** An IPv4 address within an IPv6 one, and the form that puts it there. */
export interface EmbeddedIpv4 {
  readonly form: string;
  /** Four octets. */
  readonly octets: readonly number[];
}

/**
 * Every IPv4 address that the 16 octets of an IPv6 one may carry: whoever knows the form (a host,
 * a relay, a translator) sends packets there. Network-specific prefixes of RFC 6052 are not told
 * by looking at an address.
 */
export function embeddedIpv4s(octets: readonly number[]): readonly EmbeddedIpv4[] {
  return FORMS.filter(({ prefix, at = 0 }) =>
    prefix.every((octet, index) => octets[at + index] === octet),
  ).map(({ form, places, mask = 0 }) => ({
    form,
    octets: places.map((place) => (octets[place] ?? 0) ^ mask),
  }));
}

interface Form {
  readonly form: string;
  /** The octets that tell it, from `at` on. */
  readonly prefix: readonly number[];
  readonly at?: number;
  /** Where the four octets stand. */
  readonly places: readonly number[];
  /** What each of them is mixed with. */
  readonly mask?: number;
}

const ZEROS = (count: number): readonly number[] => Array.from({ length: count }, () => 0);
const LAST = [12, 13, 14, 15];

const FORMS: readonly Form[] = [
  // RFC 4291 section 2.5.5: ::a.b.c.d and ::ffff:a.b.c.d.
  { form: "IPv4-compatible", prefix: ZEROS(12), places: LAST },
  { form: "IPv4-mapped", prefix: [...ZEROS(10), 0xff, 0xff], places: LAST },
  // RFC 2765 section 2.1: ::ffff:0:a.b.c.d.
  { form: "IPv4-translated", prefix: [...ZEROS(8), 0xff, 0xff, 0, 0], places: LAST },
  // RFC 6052 section 2.2: the last four octets behind a prefix of 96 bits; octet 8 is kept free
  // behind one of 48, as the whole of 64:ff9b:1::/48 (RFC 8215) may be used.
  { form: "NAT64", prefix: [0, 0x64, 0xff, 0x9b, ...ZEROS(8)], places: LAST },
  { form: "local NAT64", prefix: [0, 0x64, 0xff, 0x9b, 0, 1], places: LAST },
  { form: "local NAT64", prefix: [0, 0x64, 0xff, 0x9b, 0, 1], places: [6, 7, 9, 10] },
  // RFC 3056 section 2: 2002:aabb:ccdd::/48.
  { form: "6to4", prefix: [0x20, 0x02], places: [2, 3, 4, 5] },
  // RFC 4380 section 4: the server, and the client with every bit turned round.
  { form: "Teredo server", prefix: [0x20, 0x01, 0, 0], places: [4, 5, 6, 7] },
  { form: "Teredo client", prefix: [0x20, 0x01, 0, 0], places: LAST, mask: 0xff },
  // RFC 5214 section 6.1: an interface id of ::0:5efe:a.b.c.d, or with the "u" bit set, behind
  // any prefix at all.
  { form: "ISATAP", at: 8, prefix: [0x00, 0x00, 0x5e, 0xfe], places: LAST },
  { form: "ISATAP", at: 8, prefix: [0x02, 0x00, 0x5e, 0xfe], places: LAST },
];
