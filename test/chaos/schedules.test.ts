import { describe, it } from "vitest";
import { expectNothingLost } from "../support/lossy-property.ts";
import { schedules, seed } from "./settings.ts";

describe("Session, any schedule of carriers lost", () => {
  it(`loses and doubles nothing in ${schedules} schedules (CHAOS_SEED=${seed})`, async () => {
    await expectNothingLost({ seed, numRuns: schedules });
  });
});
