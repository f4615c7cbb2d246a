import { execFile } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { LogSettings } from "../../cli/logger.ts";

const LOGGER = new URL("../../cli/logger.ts", import.meta.url).href;

/** What a process writes that logs to a log of these settings, as `statements` say, and exits at once. */
function written(
  level: LogSettings["log-level"],
  format: LogSettings["log-format"],
  statements: string,
): Promise<{ stdout: string; lines: string[] }> {
  const settings = JSON.stringify({ "log-level": level, "log-format": format });
  const program = `
    import { createLog } from ${JSON.stringify(LOGGER)};
    const log = createLog(${settings});
    ${statements};
    process.exit(0);`;
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ["--input-type=module", "-e", program], (error, stdout, stderr) => {
      if (error) reject(error);
      else resolve({ stdout, lines: stderr.split("\n").filter((line) => line !== "") });
    });
  });
}

const EACH_LEVEL = 'for (const level of ["debug", "info", "warn", "error"]) log[level](level)';

describe("createLog()", () => {
  it("writes a line for people to stderr, and loses none by an exit", async () => {
    const { stdout, lines } = await written(
      "info",
      "text",
      'log.warn("Turned away", { reason: "x" })',
    );
    expect(stdout).toBe("");
    expect(lines).toEqual([
      expect.stringMatching(/^\[\d\d:\d\d:\d\d\] WARN: Turned away \{"reason":"x"\}$/),
    ]);
  });

  it("writes a JSON object a line for machines", async () => {
    const { stdout, lines } = await written("info", "json", 'log.info("Began", { sessions: 2 })');
    expect(stdout).toBe("");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({ msg: "Began", sessions: 2 }),
    ]);
  });

  it.each([
    ["debug", ["debug", "info", "warn", "error"]],
    ["info", ["info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    ["error", ["error"]],
  ] as const)("leaves out what is below %s", async (level, expected) => {
    const { lines } = await written(level, "json", EACH_LEVEL);
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(expected);
  });

  it.each(["text", "json"] as const)(
    "keeps a field of several lines in one, as %s",
    async (format) => {
      const { lines } = await written(
        "info",
        format,
        String.raw`log.info("x", { reason: "a\nb\u001b[31m" })`,
      );
      expect(lines).toHaveLength(1);
      expect(lines[0]).not.toContain("\u001b");
    },
  );
});
