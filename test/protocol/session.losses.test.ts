import { describe, it } from "vitest";
import { SEED } from "../support/arbitraries.ts";
import { expectNothingLost } from "../support/lossy-property.ts";

describe("Session, any schedule of carriers lost", () => {
  it("delivers every byte and every answer once and in order, and leaves no stream and no credit behind", async () => {
    await expectNothingLost({ ...SEED, numRuns: 200 });
  });
});
