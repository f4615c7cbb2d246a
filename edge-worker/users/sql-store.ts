import * as v from "valibot";
import { messageOf } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import type { UsageStore } from "./usage.ts";

/** Runs one statement of SQLite, with values for its "?", and returns its rows. */
export type RunSql = (statement: string, ...values: (string | number)[]) => Iterable<unknown>;

const CREATE = `CREATE TABLE IF NOT EXISTS usage (
  user TEXT PRIMARY KEY, day INTEGER, bytes INTEGER, minute INTEGER, opens INTEGER
) WITHOUT ROWID`;
const SELECT = "SELECT day, bytes, minute, opens FROM usage WHERE user = ?";
const UPSERT =
  "INSERT OR REPLACE INTO usage (user, day, bytes, minute, opens) VALUES (?, ?, ?, ?, ?)";

const ROW = v.object({ day: v.number(), bytes: v.number(), minute: v.number(), opens: v.number() });

/** Usage in a table of SQLite, which both platforms have. @throws what `run` throws at the start */
export function createSqlStore(run: RunSql, log: Log): UsageStore {
  run(CREATE);
  return {
    load: (user) => {
      for (const row of run(SELECT, user)) return v.parse(ROW, row);
      return undefined;
    },
    save: (user, { day, bytes, minute, opens }) => {
      try {
        run(UPSERT, user, day, bytes, minute, opens);
      } catch (error) {
        log.error("Cannot save what a user has used up", { reason: messageOf(error) });
      }
    },
  };
}
