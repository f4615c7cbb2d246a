import { describe, expect, it } from "vitest";
import { checkDescriptorLimit, parseLimit } from "../../../client-agent/node/descriptor-limit.ts";
import { recordedLog } from "../../support/log.ts";

const limits = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units
Max processes             95000                95000                processes
Max open files            ${soft.padEnd(20)} 1048576              files
`;

describe("parseLimit()", () => {
  it.each([
    ["1024", 1024],
    ["1048576", 1_048_576],
    ["unlimited", undefined],
  ])("reads a soft limit of %s", (soft, limit) => {
    expect(parseLimit(limits(soft))).toBe(limit);
  });

  it("knows nothing where nothing is said", () => {
    expect(parseLimit("")).toBeUndefined();
  });
});

describe("checkDescriptorLimit()", () => {
  it("is silent while there is room", () => {
    const log = recordedLog();
    checkDescriptorLimit({ maxClients: 1, maxHandshakes: 1 }, log);
    expect(log.lines).toEqual([]);
  });

  it("says what to do when there is not, where the system tells", () => {
    const log = recordedLog();
    checkDescriptorLimit({ maxClients: 1e9, maxHandshakes: 1e9 }, log);
    for (const line of log.lines)
      expect(line).toMatch(/^warn Cannot serve 1000000000 clients .*ulimit -n 2000000064/);
    expect(log.lines).toHaveLength(process.platform === "linux" ? 1 : 0);
  });
});
