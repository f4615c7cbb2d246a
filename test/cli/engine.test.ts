import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ENGINE = join(import.meta.dirname, "../../cli/engine.ts");

describe("the flags of V8", () => {
  it("are all known to this Node, which prints a line for one that is not", () => {
    const script = `import { tuneEngine } from ${JSON.stringify(ENGINE)}; tuneEngine(); console.log("set");`;
    const args = ["--input-type=module", "--eval", script];

    const child = spawnSync(process.execPath, args, { encoding: "utf8" });

    expect(child.stderr).toBe("");
    expect(child.stdout).toBe("set\n");
  });
});
