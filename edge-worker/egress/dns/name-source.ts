/** What a source of names has found. */
export interface Records {
  /** Addresses or names, as text; none when the source is sure that there are none. */
  readonly data: readonly string[];
  /** How long that holds; 0 where nobody knows, which is then not kept. */
  readonly ttlMs: number;
}

/** Where an edge looks up names: DNS over HTTPS, or the system's resolver. */
export interface NameSource {
  /** All addresses of a canonical name. @throws StreamError when the source gave no answer */
  addressesOf(name: string): Promise<Records>;
  /** The names of an IP address. @throws StreamError when the source gave no answer */
  namesOf(host: string): Promise<Records>;
}
