import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runIsolated, whyNotIsolated } from "../support/isolated.ts";

const PROGRAM = join(import.meta.dirname, "../support/cloudflare-targets-program.ts");
const WHY = /the target is in Cloudflare's own ranges, which this edge cannot reach by itself/;

const whyNot = await whyNotIsolated();
if (whyNot !== undefined) process.stderr.write(`Skipping targets at Cloudflare: ${whyNot}\n`);

describe("targets in Cloudflare's ranges", () => {
  it.skipIf(whyNot !== undefined)(
    "are out of a Worker's reach but by an upstream or a fallback edge, and of nobody else's",
    async () => {
      const run = await runIsolated("127.0.0.1 localhost\n104.16.0.1 site.test\n", [
        process.execPath,
        PROGRAM,
      ]);
      expect(run.code, run.stderr).toBe(0);
      expect(JSON.parse(run.stdout)).toEqual({
        fallback: ["directly", "directly", "directly", "REP 5"],
        without: [expect.stringMatching(WHY), expect.stringMatching(WHY)],
        marked: ["by the upstream", "by the upstream", "by the upstream", "directly"],
        elsewhere: ["directly"],
        node: ["directly"],
        asked: ["104.16.0.1", "104.16.0.1", "104.16.0.1"],
      });
    },
  );
});
