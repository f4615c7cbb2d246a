import type { AccessEntries } from "../edge-worker/users/access.ts";
import { Admission } from "../protocol/admission.ts";
import { ConfigError, messageOf } from "../protocol/errors.ts";
import { readText } from "./sources.ts";

export interface SecretSettings {
  readonly secret: string | undefined;
  readonly "secret-file": string | undefined;
}

/** The secret a command was given, one way or the other. @throws ConfigError when there is none */
export function readSecret(settings: SecretSettings): string {
  const file = settings["secret-file"];
  const secret = file === undefined ? settings.secret : readText(file).split(/\r?\n/)[0];
  if (secret !== undefined && secret !== "") return secret;
  const ways = "EDGESOCKS_SECRET, --secret-file or the key secret in edgesocks.toml";
  throw new ConfigError(`Cannot start without a secret: give one by ${ways}`);
}

export interface AccessSettings extends SecretSettings {
  readonly "key-id": string;
  readonly keys: AccessEntries["keys"] | undefined;
  readonly rules: AccessEntries["rules"];
}

/** Who may use an edge: several keys, or the one secret. @throws ConfigError for both and neither */
export function readAccess(settings: AccessSettings): AccessEntries {
  const { keys, rules, "key-id": id } = settings;
  if (!keys) {
    const secret = readSecret(settings);
    createAdmission(id, secret);
    return { keys: [{ id, secret }], rules };
  }
  if (settings.secret === undefined && settings["secret-file"] === undefined)
    return { keys, rules };
  throw new ConfigError("Cannot use keys along with a secret: give each key its own in keys");
}

/** The secret as a key. @throws ConfigError when it is too short */
export function createAdmission(keyId: string, secret: string): Admission {
  try {
    return new Admission(keyId, secret);
  } catch (cause) {
    throw new ConfigError(messageOf(cause), { cause });
  }
}
