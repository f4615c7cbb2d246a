import * as v from "valibot";
import { ConfigError } from "../../protocol/errors.ts";
import { type Rule, ruleSchema } from "../policy/rule.ts";
import { type User, usersSchema } from "./user.ts";

export const rulesSchema = v.array(ruleSchema, "expected a list of rules");

const accessSchema = v.object({ keys: usersSchema, rules: rulesSchema });

/** Keys and rules as people write them, in a file or as JSON; parseAccess() reads them. */
export type AccessEntries = Readonly<v.InferInput<typeof accessSchema>>;

/** Who may use an edge, and for what. */
export interface Access {
  readonly users: readonly User[];
  /** Rules for everybody, which come behind those of each user. */
  readonly rules: readonly Rule[];
}

/** @throws ConfigError that names the entry and what is wrong with it, and no secret */
export function parseAccess(entries: unknown): Access {
  const result = v.safeParse(accessSchema, entries);
  if (result.success) return { users: result.output.keys, rules: result.output.rules };
  throw new ConfigError(`Cannot use ${describeIssue(result.issues[0])}`);
}

/** Where in a structure something is wrong, and what: "keys[0].secret: expected a text". */
export function describeIssue(issue: v.BaseIssue<unknown>): string {
  const { path, message, type } = issue;
  const place = (path ?? []).map(({ key }) =>
    typeof key === "number" ? `[${key}]` : `.${String(key)}`,
  );
  const what = type === "strict_object" ? describeKey(issue) : message;
  return `${place.join("").replace(/^\./, "")}: ${what}`;
}

/** A key of a table is reported with the key itself at the end of its path. */
function describeKey({ expected, received }: v.BaseIssue<unknown>): string {
  if (expected === "never") return "it is unknown";
  return received === "undefined" ? "it is missing" : "expected a table";
}
