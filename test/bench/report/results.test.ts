import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readResults, writeResults } from "../../../bench/report/results.ts";
import { resultsOf } from "../../support/bench-results.ts";
import { tempFolder } from "../../support/temp-folder.ts";

describe("cellsOf()", () => {
  it("has median, spread, samples and ratios", () => {
    const { results } = resultsOf({
      ssh: { "ping-median": [4, 6, 5] },
      "edgesocks-node": { "ping-median": [2, 2.5, 3] },
    });
    expect(results["edgesocks-node"]?.["ping-median"]).toEqual({
      median: 2.5,
      min: 2,
      max: 3,
      samples: [2, 2.5, 3],
      timesBetter: { ssh: 2 },
    });
  });

  it("has no ratio that is no number", () => {
    const { results } = resultsOf({
      "v2ray-ws": { "udp-loss": [0] },
      "edgesocks-node": { "udp-loss": [0] },
    });
    expect(results["edgesocks-node"]?.["udp-loss"]?.timesBetter).toEqual({});
  });
});

describe("readResults()", () => {
  it("reads what writeResults() writes", async () => {
    const path = join(tempFolder(), "results.json");
    const remark = { kind: "note", subject: "ssh", round: 1, what: "idle", text: "x" } as const;
    const results = resultsOf({ ssh: { download: [1, 2] } }, [remark]);
    writeResults(path, results);
    expect(readResults(path)).toEqual(results);
  });
});
