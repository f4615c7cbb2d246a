import type { Password } from "../client-agent/node/hash-passwords.ts";
import type { Log } from "../protocol/log.ts";

/** Tells whose password stands in a file as it is, and how it need not; `place` names the file. */
export function warnOfPasswords(
  users: ReadonlyMap<string, Password>,
  place: string | undefined,
  log: Log,
): void {
  if (place === undefined) return;
  for (const [name, password] of users) {
    if (typeof password !== "string") continue;
    const advice = `put the line there that \`edgesocks hash-password\` makes of it`;
    log.warn(`The password of ${JSON.stringify(name)} stands as it is in ${place}: ${advice}`);
  }
}
