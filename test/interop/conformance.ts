export type Edge = "node" | "workerd";

/** The columns of docs/conformance.md, in their order. */
export const features = [
  "SOCKS4",
  "SOCKS4a",
  "SOCKS5",
  "SOCKS5, name",
  "password",
  "HTTP",
  "HTTP CONNECT",
  "BIND",
  "UDP",
  "RESOLVE",
  "failures",
] as const;
export type Feature = (typeof features)[number];

/** What a test is about, for the reporter. */
export interface Conformance {
  readonly client: string;
  readonly version: string;
  readonly edge: Edge;
  readonly feature: Feature;
  /** What the table shows of a test that passes, when a tick would say too much. */
  readonly mark?: string;
}

declare module "vitest" {
  interface TaskMeta {
    conformance?: Conformance;
  }
}
