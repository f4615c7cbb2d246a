import { beforeAll, describe, expect, it } from "vitest";
import { isAnybody } from "../../edge-worker/egress/egress.ts";
import { parseAddress } from "../../protocol/address.ts";
import type { ProbeAnswer, ProbeReport } from "../support/forbidden-probe.ts";
import {
  forbiddenHosts,
  hostsFile,
  notHosts,
  privateNames,
  publicTargets,
} from "../support/forbidden-targets.ts";
import { runIsolated, whyNotIsolated } from "../support/isolated.ts";

/*
 * No edge reaches a private target, however it is spelled and asked for, from client to kernel. It
 * runs in a namespace without a way out, where every address there is has a listener: a hole in the
 * policy would arrive there, and nowhere else.
 */
const PROBE = new URL("../support/forbidden-probe.ts", import.meta.url).pathname;

const why = await whyNotIsolated();
// On standard error, so that it is seen: a skipped proof is no proof.
if (why !== undefined) process.stderr.write(`forbidden.test.ts is skipped: ${why}\n`);

/** What each way in says of "denied", of a host that is none, and what a Worker cannot do. */
const WAYS: Readonly<Record<string, { denied: number; noHost: number; unsupported?: number }>> = {
  "SOCKS5 CONNECT by name": { denied: 2, noHost: 4 },
  "SOCKS5 CONNECT by address": { denied: 2, noHost: 4 },
  "SOCKS4 CONNECT": { denied: 91, noHost: 91 },
  "SOCKS4a CONNECT": { denied: 91, noHost: 91 },
  "HTTP CONNECT": { denied: 403, noHost: 400 },
  "HTTP GET": { denied: 403, noHost: 400 },
  RESOLVE: { denied: 2, noHost: 4 },
  RESOLVE_PTR: { denied: 2, noHost: 4 },
  "SOCKS5 BIND by name": { denied: 2, noHost: 4, unsupported: 7 },
  "SOCKS5 BIND by address": { denied: 2, noHost: 4, unsupported: 7 },
  "SOCKS4 BIND": { denied: 91, noHost: 91 },
  "SOCKS4a BIND": { denied: 91, noHost: 91 },
};

describe.skipIf(why !== undefined).each([
  ["Node", "node"],
  ["workerd, durable bridge", "durable"],
  ["workerd, stateless bridge", "stateless"],
])("forbidden targets, edge on %s", (_name, runtime) => {
  let report: ProbeReport;
  const isNode = runtime === "node";

  beforeAll(async () => {
    const { code, stdout, stderr } = await runIsolated(hostsFile, [
      process.execPath,
      PROBE,
      runtime,
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    report = JSON.parse(stdout) as ProbeReport;
  }, 120_000);

  const answersFor = (hosts: readonly string[]): readonly ProbeAnswer[] =>
    report.answers.filter(({ host, way }) => way in WAYS && hosts.includes(host));

  /** Those that were not told what `expected` says. */
  function strays(
    answers: readonly ProbeAnswer[],
    expected: (way: string) => number | undefined,
  ): readonly ProbeAnswer[] {
    return answers.filter(({ way, answer }) => answer !== expected(way));
  }

  it("are denied in every spelling, by every way in", () => {
    const hosts = forbiddenHosts.map(([host]) => host);
    expect(hosts.length).toBeGreaterThan(150);
    const answers = answersFor(hosts);
    expect(new Set(answers.map(({ host }) => host))).toEqual(new Set(hosts));
    expect(new Set(answers.map(({ way }) => way))).toEqual(new Set(Object.keys(WAYS)));
    const expected = (way: string) =>
      isNode ? WAYS[way]?.denied : (WAYS[way]?.unsupported ?? WAYS[way]?.denied);
    // To BIND, the unspecified address means anybody: each peer is asked about when it comes.
    const meansAnybody = ({ way, host }: ProbeAnswer): boolean =>
      isNode && way.includes("BIND") && isAnybody(parseAddress(host, 0));
    expect(
      strays(
        answers.filter((it) => !meansAnybody(it)),
        expected,
      ),
    ).toEqual([]);
  });

  it("are denied behind a name that resolves to them", () => {
    const answers = answersFor(privateNames.map(([name]) => name));
    expect(answers.length).toBeGreaterThanOrEqual(privateNames.length * 7);
    const expected = (way: string) =>
      isNode ? WAYS[way]?.denied : (WAYS[way]?.unsupported ?? WAYS[way]?.denied);
    expect(strays(answers, expected)).toEqual([]);
  });

  it("are no hosts at all in some spellings", () => {
    const answers = answersFor(notHosts);
    expect(new Set(answers.map(({ host }) => host))).toEqual(new Set(notHosts));
    expect(strays(answers, (way) => WAYS[way]?.noHost)).toEqual([]);
  });

  it("were never connected to, while public ones were", () => {
    const reached = report.answers.filter(({ way, answer }) => way === "public" && answer === 0);
    expect(new Set(reached.map(({ host }) => host))).toEqual(
      new Set(publicTargets.map(([host]) => host)),
    );
    expect(report.reached.toSorted()).toEqual(
      publicTargets.map(([, address]) => address).toSorted(),
    );
  });

  it("were never sent a datagram, while a public one was", () => {
    const association = report.answers.find(({ way }) => way === "UDP ASSOCIATE");
    expect(association?.answer).toBe(0);
    // A Worker relays to port 53 alone.
    expect(report.datagrams).toEqual(isNode ? ["public"] : []);
  });
});
