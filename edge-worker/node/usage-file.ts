import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, messageOf } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import { createSqlStore } from "../users/sql-store.ts";
import type { UsageStore } from "../users/usage.ts";

const FILE = "usage.sqlite";

/** Usage in a file of SQLite under `folder`, which is made. @throws ConfigError */
export async function openUsageFile(folder: string, log: Log): Promise<UsageStore> {
  const file = join(folder, FILE);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // Loaded where it is needed: Node warns of it as experimental.
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(file);
    // Another process of ours, which is just ending, may hold the file for a moment.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 2000");
    return createSqlStore((sql, ...values) => database.prepare(sql).all(...values), log);
  } catch (cause) {
    throw new ConfigError(`Cannot keep usage in ${file}: ${messageOf(cause)}`, { cause });
  }
}
