import { it } from "vitest";

/** Stands for the tests of a group that cannot run here, and says why: in the report, and on stderr. */
export function skipGroup(why: string): void {
  process.stderr.write(`Skipping tests: ${why}\n`);
  // They need a program or a port that this machine does not have; `.ci/run` has them all.
  it.skip(`skips: ${why}`, () => {});
}
