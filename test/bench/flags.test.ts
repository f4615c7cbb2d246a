import { describe, expect, it } from "vitest";
import { parseFlags } from "../../bench/flags.ts";
import { ORDINARY_TOPICS, QUICK_TOPICS, TOPICS } from "../../bench/measure/topics.ts";
import { QUICK_PEERS, subjects } from "../../bench/subjects/subjects.ts";

const namesOf = (...args: string[]): string[] => parseFlags(args).subjects.map(({ name }) => name);
const everybody = subjects.map(({ name }) => name);

describe("parseFlags()", () => {
  it("measures what an ordinary run does, of everybody", () => {
    expect(parseFlags([])).toMatchObject({ topics: ORDINARY_TOPICS, rounds: 3 });
    expect(namesOf()).toEqual(everybody);
  });

  it("measures the core of it with --quick, of few", () => {
    const { topics, rounds } = parseFlags(["--quick"]);
    expect([topics, rounds]).toEqual([QUICK_TOPICS, 3]);
    expect(namesOf("--quick")).toEqual(QUICK_PEERS);
    expect(everybody).toEqual(expect.arrayContaining([...QUICK_PEERS]));
  });

  it("measures everything in five rounds for the report", () => {
    for (const flag of ["--full", "--report"]) {
      expect(parseFlags([flag])).toMatchObject({ topics: TOPICS, rounds: 5 });
      expect(namesOf(flag)).toEqual(everybody);
    }
  });

  it("takes topics, peers and rounds from the command line first", () => {
    const args = ["--quick", "--only", "udp,link50", "--peers", "none,ssh", "--rounds", "7"];
    expect(parseFlags(args)).toMatchObject({ topics: ["udp", "link50"], rounds: 7 });
    expect(namesOf(...args)).toEqual(["none", "ssh"]);
  });
});
