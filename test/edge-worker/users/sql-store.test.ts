import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { createSqlStore, type RunSql } from "../../../edge-worker/users/sql-store.ts";
import { recordedLog } from "../../support/log.ts";

const usage = { day: 20_000, bytes: 2 ** 45, minute: 30_000_000, opens: 7 };

function database(): RunSql {
  const opened = new DatabaseSync(":memory:");
  return (sql, ...values) => opened.prepare(sql).all(...values);
}

describe("createSqlStore()", () => {
  it("gives back what was saved last of each user", () => {
    const run = database();
    const store = createSqlStore(run, recordedLog());
    expect(store.load("ann")).toBeUndefined();
    store.save("ann", { ...usage, bytes: 1 });
    store.save("ann", usage);
    store.save("'; DROP TABLE usage; --", { ...usage, opens: 0 });
    // A second start, over the same file.
    const again = createSqlStore(run, recordedLog());
    expect(again.load("ann")).toEqual(usage);
    expect(again.load("bob")).toBeUndefined();
  });

  it("tells the log what it cannot save, and goes on", () => {
    const log = recordedLog();
    let isBroken = false;
    const run = database();
    const store = createSqlStore((sql, ...values) => {
      if (isBroken) throw new Error("database or disk is full");
      return run(sql, ...values);
    }, log);
    isBroken = true;
    store.save("ann", usage);
    expect(log.lines.join("\n")).toContain("Cannot save what a user has used up");
  });
});
