import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openUsageFile } from "../../../edge-worker/node/usage-file.ts";
import { ConfigError } from "../../../protocol/errors.ts";
import { recordedLog } from "../../support/log.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const usage = { day: 1, bytes: 2, minute: 3, opens: 4 };

describe("openUsageFile()", () => {
  it("makes its folder, for its owner alone, and keeps usage from one start to the next", async () => {
    const folder = join(tempFolder(), "state", "edge");
    (await openUsageFile(folder, recordedLog())).save("ann", usage);
    expect(statSync(folder).mode & 0o077).toBe(0);
    expect((await openUsageFile(folder, recordedLog())).load("ann")).toEqual(usage);
  });

  it("names the file that it cannot use", async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, "usage.sqlite"), "this is no database, and long enough to tell");
    const opening = openUsageFile(folder, recordedLog());
    await expect(opening).rejects.toThrow(ConfigError);
    await expect(opening).rejects.toThrow(/^Cannot keep usage in .*usage\.sqlite: /);
  });
});
