import { describe, expect, it } from "vitest";
import { rowsOf } from "../../../bench/measure/measurements.ts";
import { TOPICS } from "../../../bench/measure/topics.ts";
import { judgeTargets, targets } from "../../../bench/report/targets.ts";
import { subjects } from "../../../bench/subjects/subjects.ts";
import { resultsOf } from "../../support/bench-results.ts";

/** The verdicts about one subject's thing, by their targets. */
function verdictsOf(samples: Parameters<typeof resultsOf>[0], what: string, who: string) {
  const verdicts = judgeTargets(resultsOf(samples));
  return verdicts
    .filter((verdict) => verdict.what === what && verdict.who === who)
    .map(({ target, measured, isMet }) => [target, measured, isMet]);
}

describe("judgeTargets()", () => {
  it("compares medians with those of the peers", () => {
    const samples = {
      ssh: { download: [100, 90, 1000] },
      "v2ray-ws": { download: [60] },
      "edgesocks-node": { download: [130, 1, 900] },
    };
    expect(verdictsOf(samples, "one download", "edgesocks-node")).toEqual([
      ["≥ 1.3 × ssh", "1.3 ×", true],
      ["≥ 2.5 × v2ray-ws", "2.17 ×", false],
    ]);
  });

  it("takes the smaller number where less is better", () => {
    const samples = { ssh: { "ping-median": [2] }, "edgesocks-node": { "ping-median": [3] } };
    expect(verdictsOf(samples, "64-byte ping beside 4 downloads", "edgesocks-node")).toEqual([
      ["≤ ssh", "3 to 2", false],
    ]);
  });

  it("judges losses of nothing", () => {
    const samples = { "v2ray-ws": { "udp-loss": [0] }, "edgesocks-node": { "udp-loss": [0] } };
    expect(verdictsOf(samples, "loss of these", "edgesocks-node")).toEqual([
      ["≤ v2ray-ws", "0 to 0", true],
    ]);
  });

  it("holds a value against a bound, which itself is good enough", () => {
    const verdicts = (seconds: number) =>
      verdictsOf(
        { "edgesocks-workerd": { "cpu-total": [seconds] } },
        "CPU of agent and edge per GB",
        "edgesocks-workerd",
      );
    expect(verdicts(2)).toContainEqual(["≤ 2 s", "2 s", true]);
    expect(verdicts(2.1)).toContainEqual(["≤ 2 s", "2.1 s", false]);
  });

  it("takes a share of a peer's where less is better", () => {
    const verdicts = (seconds: number) =>
      verdictsOf(
        { "edgesocks-workerd": { "cpu-total": [seconds] }, "v2ray-ws": { "cpu-total": [10] } },
        "CPU of agent and edge per GB",
        "edgesocks-workerd",
      );
    expect(verdicts(3.7)).toContainEqual(["≤ 0.37 × v2ray-ws", "3.7 to 10", true]);
    expect(verdicts(3.8)).toContainEqual(["≤ 0.37 × v2ray-ws", "3.8 to 10", false]);
  });

  it("knows nothing about what was not measured, or whose peer was not", () => {
    const verdicts = judgeTargets(resultsOf({ "edgesocks-node": { download: [1000] } }));
    expect(new Set(verdicts.map(({ isMet }) => isMet))).toEqual(new Set([undefined]));
  });
});

describe("targets", () => {
  it("are about rows and subjects that exist, and that are measured in them", () => {
    for (const { key, who, than } of targets) {
      const row = rowsOf(TOPICS).find((row) => row.key === key);
      expect(row, key).toBeDefined();
      for (const name of [who, ...(than ? [than.peer] : [])]) {
        expect(subjects.find((subject) => subject.name === name)?.topics, name).toContain(
          row?.topic,
        );
      }
    }
  });
});
