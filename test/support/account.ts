import { Account, type AccountOptions } from "../../edge-worker/users/account.ts";
import { forgetfulStore } from "../../edge-worker/users/usage.ts";
import { FakeClock } from "./fake-clock.ts";

/** An account without limits, unless the test gives some. Its days begin with its clock. */
export function accountOf(changes: Partial<AccountOptions> = {}): Account {
  const clock = changes.clock ?? new FakeClock();
  return new Account({
    user: "test",
    limits: {},
    clock,
    wallNow: () => clock.now(),
    store: forgetfulStore,
    ...changes,
  });
}
