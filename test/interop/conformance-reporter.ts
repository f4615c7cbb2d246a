import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Reporter, TestCase, TestModule } from "vitest/node";
import { type Conformance, type Feature, features } from "./conformance.ts";

const PAGE = new URL("../../docs/conformance.md", import.meta.url);

interface Finding extends Conformance {
  readonly title: string;
  readonly state: "passed" | "failed" | "skipped";
  readonly reason: string;
}

/** Writes docs/conformance.md from a run of all tests; a run of some leaves the page alone. */
export class ConformanceReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.ts"));
    const tests = modules.flatMap((module) => Array.from(module.children.allTests()));
    const findings = tests.flatMap(findingOf);
    // A test that a filter has left out was skipped without a reason.
    const isPartial = findings.some(({ state, reason }) => state === "skipped" && reason === "");
    if (modules.length < files.length || isPartial || findings.length < tests.length) return;
    writeFileSync(PAGE, page(findings));
  }
}

function findingOf(test: TestCase): Finding[] {
  const { conformance } = test.meta();
  const result = test.result();
  if (!conformance || result.state === "pending") return [];
  const reason = result.state === "skipped" ? (result.note ?? "") : "";
  const title = test.name.slice(conformance.feature.length + 2);
  return [{ ...conformance, title, state: result.state, reason }];
}

function page(findings: readonly Finding[]): string {
  const date = new Date().toISOString().slice(0, 10);
  return `# Conformance

\`npm run test:interop\` drives these programs against a running \`edgesocks local\` and writes this page. Last run:
${date}, on ${systemName()}, Node ${process.versions.node}, workerd ${workerdVersion()}. All targets are on loopback.

✓ works · ✗ does not · – the client cannot do it, or no test asks for it here. "SOCKS5, name" leaves the look-up of a name
to the edge; "RESOLVE" asks for one; "failures" are targets that refuse, do not exist or are denied, and what the client
makes of the answer. The edge on workerd relays UDP by coturn. By that it has BIND, too, but for clients that end a
connection as soon as all is sent: coturn then drops what the other side has not read.

${tableOf(findings)}

## Notes

- dig of BIND 9.18 sends by a system call that Dante's library does not see, so that its datagrams never reach any
  proxy. The test takes \`sendmmsg\` away from it; drill needs no such help.
- Dante goes to loopback without the proxy unless \`SOCKS_AUTOADD_LANROUTES=no\`; tsocks always does, so that its tests
  use 0.0.0.0, which is loopback to the edge. The tests of these two, of proxychains4 and of the browsers count the
  streams of the agent: a client that went past the proxy fails them.
- \`accept()\` of IO::Socket::Socks 0.74 reads a reply of SOCKS5 whatever the version; for SOCKS4 the test reads the
  right one. It has no RESOLVE either: the test sends its CONNECT with that command.

## What was tried

${listOf(findings)}
`;
}

function tableOf(findings: readonly Finding[]): string {
  const rows = Array.from(Map.groupBy(findings, rowOf), ([row, found]) => {
    const cells = features.map((feature) => cellOf(found, feature));
    return `| ${[row, ...cells].join(" | ")} |`;
  });
  const head = ["client", "version", "edge", ...features];
  return [`| ${head.join(" | ")} |`, `|${"---|".repeat(head.length)}`, ...rows.toSorted()].join(
    "\n",
  );
}

const rowOf = ({ client, version, edge }: Finding): string =>
  [client, version === "" ? "none" : version, edge].join(" | ");

function cellOf(found: readonly Finding[], feature: Feature): string {
  const about = found.filter((finding) => finding.feature === feature);
  if (about.length === 0) return "–";
  if (about.some(({ state }) => state === "failed")) return "✗";
  const skipped = about.find(({ state }) => state === "skipped");
  if (skipped) return `skipped: ${skipped.reason}`;
  return about.find(({ mark }) => mark !== undefined)?.mark ?? "✓";
}

function listOf(findings: readonly Finding[]): string {
  const signs = { passed: "✓", failed: "✗", skipped: "skipped" } as const;
  const lines = findings.map(
    ({ client, edge, feature, title, state }) =>
      `- ${signs[state]} ${client}, edge on ${edge}, ${feature}: ${title}`,
  );
  return lines
    .toSorted((a, b) => a.replace(/^- \S+ /, "").localeCompare(b.replace(/^- \S+ /, "")))
    .join("\n");
}

function systemName(): string {
  try {
    const [, name] = /^PRETTY_NAME="(.+)"$/m.exec(readFileSync("/etc/os-release", "utf8")) ?? [];
    return name ?? process.platform;
  } catch {
    return process.platform;
  }
}

function workerdVersion(): string {
  const manifest = new URL("../../node_modules/workerd/package.json", import.meta.url);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
