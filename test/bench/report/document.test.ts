import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatDocument } from "../../../bench/report/document.ts";
import { drawComparisons, drawGrowths } from "../../../bench/report/figures.ts";
import { writeDocument } from "../../../bench/report/write-document.ts";
import { resultsOf } from "../../support/bench-results.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const samples = {
  none: { download: [2000], upload: [2000] },
  ssh: { download: [300, 310, 320], upload: [290] },
  "edgesocks-node": {
    download: [400],
    "growth-streams/1/speed": [400],
    "growth-streams/64/speed": [500],
  },
  "edgesocks-node-tls": { download: [350] },
};

function documentOf(results: ReturnType<typeof resultsOf>): string {
  const comparisons = drawComparisons(results);
  return formatDocument({ results, comparisons, growths: drawGrowths(results) });
}

describe("formatDocument()", () => {
  it("has the machine, the versions and the targets", () => {
    const document = documentOf(resultsOf(samples));
    expect(document).toContain("| machine | 2 cores (A processor), 8 GiB, Linux 6.1 |");
    expect(document).toContain("| node | v24.0.0 |");
    expect(document).toContain(
      "| one download | edgesocks-node | ≥ 1.3 × ssh | 1.29 × | **missed** |",
    );
    expect(document).toContain("1 of 2 targets that were measured are met, 1 are missed");
  });

  it("has medians with their spread, and a dash where there is none", () => {
    const document = documentOf(resultsOf(samples));
    expect(document).toContain("| ssh | 310 (300 to 320) | 290 (290 to 290) | - |");
  });

  it("says when something else kept the machine busy", () => {
    const results = resultsOf(samples);
    const busy = { ...results, machine: { ...results.machine, loadBefore: 7 } };
    expect(documentOf(results)).not.toContain("not quiet");
    expect(documentOf(busy)).toContain("**The machine was not quiet**");
  });

  it("has what went wrong", () => {
    const failure = {
      kind: "failure",
      subject: "ssh",
      round: 2,
      what: "ping",
      text: "Cannot ping: Connection timed out",
    } as const;
    expect(documentOf(resultsOf(samples, [failure]))).toContain(
      "- Failed: ssh, round 2, ping: Cannot ping: Connection timed out",
    );
  });
});

describe("writeDocument()", () => {
  it("writes the charts that the document shows, and takes away those of earlier runs", () => {
    const folder = tempFolder();
    const earlier = resultsOf({ ssh: { sessions: [5] } });
    writeDocument(folder, earlier);
    expect(readdirSync(join(folder, "charts"))).toEqual(["sessions.svg"]);
    writeDocument(folder, resultsOf(samples));
    const document = readFileSync(join(folder, "performance.md"), "utf8");
    const shown = Array.from(document.matchAll(/\]\(charts\/([\w-]+\.svg)\)/g), ([, name]) => name);
    expect(shown).toContain("growth-streams-speed.svg");
    expect(new Set(readdirSync(join(folder, "charts")))).toEqual(new Set(shown));
  });

  it("draws what was measured", () => {
    const [throughput, tls] = drawComparisons(resultsOf(samples));
    expect(throughput?.svg).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(throughput?.svg).toContain(">310<");
    expect(throughput?.svg).toContain(">edgesocks-node<");
    // Without a proxy the bars would make all others short.
    expect(throughput?.svg).not.toContain(">2,000<");
    expect(throughput?.table).toContain("| none | 2,000");
    expect(tls?.svg).toContain(">edgesocks-node-tls<");
  });
});
