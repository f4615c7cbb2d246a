import { readFileSync } from "node:fs";
import { debianVersion } from "../support/debian.ts";

/** A program or library that somebody else wrote, and where it comes from. */
export interface Client {
  readonly name: string;
  /** Its Debian package, or its npm package. */
  readonly debian?: string;
  readonly npm?: string;
  /** Debian packages that its tests need beside it. */
  readonly with?: readonly string[];
}

export const clients = {
  curl: { name: "curl", debian: "curl" },
  ssh: {
    name: "ssh through nc",
    debian: "netcat-openbsd",
    with: ["openssh-client", "openssh-server"],
  },
  pysocks: { name: "PySocks", debian: "python3-socks", with: ["python3"] },
  pythonSocks: { name: "python-socks", debian: "python3-python-socks", with: ["python3"] },
  perl: {
    name: "Perl IO::Socket::Socks",
    debian: "libio-socket-socks-perl",
    with: ["perl", "coturn"],
  },
  dig: {
    name: "dig under Dante's socksify",
    debian: "dante-client",
    with: ["bind9-dnsutils", "python3"],
  },
  drill: { name: "drill under Dante's socksify", debian: "dante-client", with: ["ldnsutils"] },
  ftpCurl: {
    name: "curl for FTP under Dante's socksify",
    debian: "dante-client",
    with: ["curl", "vsftpd"],
  },
  tnftp: {
    name: "tnftp under Dante's socksify",
    debian: "dante-client",
    with: ["tnftp", "vsftpd"],
  },
  torResolve: { name: "tor-resolve", debian: "tor" },
  chromium: { name: "Chromium", debian: "chromium" },
  firefox: { name: "Firefox ESR", debian: "firefox-esr" },
  proxychains: { name: "proxychains4", debian: "proxychains4", with: ["curl"] },
  tsocks: { name: "tsocks", debian: "tsocks", with: ["curl"] },
  npmSocks: { name: "socks of npm", npm: "socks" },
} as const satisfies Record<string, Client>;

/** Every Debian package that a client needs. */
export function debianPackagesOf({ debian, with: others = [] }: Client): string[] {
  return debian === undefined ? [...others] : [debian, ...others];
}

/** The version of a package in node_modules; undefined when it is not there. */
function npmVersion(name: string): string | undefined {
  try {
    const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
    return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** The versions of all that a client consists of. */
export function versionOf(client: Client): string {
  if (client.npm !== undefined) return npmVersion(client.npm) ?? "";
  const packages = debianPackagesOf(client);
  const versions = packages.map((name) => debianVersion(name) ?? "none");
  if (versions.length === 1) return versions.join("");
  return packages.map((name, i) => `${name} ${versions[i] ?? ""}`).join(", ");
}

/** Why the tests of a client cannot run; undefined when they can. */
export function missingFor(client: Client): string | undefined {
  if (client.npm !== undefined && npmVersion(client.npm) === undefined) {
    return `the npm package ${client.npm} is not installed`;
  }
  const missing = debianPackagesOf(client).filter((name) => debianVersion(name) === undefined);
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
}
