import { randomBytes } from "node:crypto";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ConfigError, messageOf } from "../protocol/errors.ts";
import type { SettingsOf } from "./settings.ts";
import type { tables } from "./tables.ts";

export type InitSettings = SettingsOf<(typeof tables)["init"]>;

/** Octets of a secret: as many as the HMAC-SHA-256 of a token has. */
const SECRET_LENGTH = 32;
/** For its owner alone. */
const MODE = 0o600;

/** `edgesocks init`: makes a secret, and a file of settings that holds it. @throws ConfigError */
export function init(settings: InitSettings, file: string): void {
  const text = formatConfig(settings, randomBytes(SECRET_LENGTH).toString("base64url"));
  if (settings.print) {
    process.stdout.write(text);
    return;
  }
  if (settings.force) replaceFile(file, text);
  else createFile(file, text);
  process.stdout.write(formatNextSteps(settings, file));
}

/** The text of a new edgesocks.toml. */
export function formatConfig(
  { edge, "key-id": keyId }: Pick<InitSettings, "edge" | "key-id">,
  secret: string,
): string {
  const edgeLine = edge
    ? `edge = ${formatUrls(edge)}`
    : `# edge = "wss://edgesocks.YOUR-SUBDOMAIN.workers.dev/"`;
  const keyLines =
    keyId === "default" ? "" : `\n# Name of the secret.\nkey-id = ${JSON.stringify(keyId)}\n`;
  return `# Settings of edgesocks, for the commands agent, edge and deploy. All keys are in edgesocks.example.toml.
# This file holds a secret: keep it to yourself.

# The secret that agent and edge share.
secret = ${JSON.stringify(secret)}
${keyLines}
# Where the agent finds the edge.
${edgeLine}
`;
}

/** As the file has it: a text for one, a list for several. */
function formatUrls(urls: readonly URL[]): string {
  const texts = urls.map(({ href }) => JSON.stringify(href));
  return texts.length === 1 ? texts.join() : `[${texts.join(", ")}]`;
}

/** Never over a file that is there, nor through a link (O_EXCL). */
function createFile(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: MODE, flag: "wx" });
  } catch (cause) {
    const isThere = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    const why = isThere ? "it is there already, and --force would replace it" : messageOf(cause);
    throw new ConfigError(`Cannot write ${file}: ${why}`, { cause });
  }
}

/** In one step, so that the old file or the new one is there, and with no rights of the old one. */
function replaceFile(file: string, text: string): void {
  const fresh = join(dirname(file), `.${basename(file)}.${randomBytes(8).toString("hex")}`);
  try {
    writeFileSync(fresh, text, { mode: MODE, flag: "wx" });
  } catch (cause) {
    throw new ConfigError(`Cannot write ${file}: ${messageOf(cause)}`, { cause });
  }
  try {
    renameSync(fresh, file);
  } catch (cause) {
    rmSync(fresh);
    throw new ConfigError(`Cannot write ${file}: ${messageOf(cause)}`, { cause });
  }
}

function formatNextSteps({ edge }: InitSettings, file: string): string {
  const config = file === "edgesocks.toml" ? "" : ` --config ${file}`;
  const agent = edge
    ? `  edgesocks agent${config}`
    : `  edgesocks agent${config} --edge wss://HOST/   or put the line edge = "wss://HOST/" into the file`;
  return `${file} is written, with a new secret in it. Nobody but you can read it.

Put the edge up at Cloudflare:
  npx wrangler login
  edgesocks deploy${config}

Or run it on a server of yours, with a copy of that file:
  edgesocks edge${config} --listen 0.0.0.0:8443 --tls-cert fullchain.pem --tls-key privkey.pem

Then start the agent on this machine:
${agent}
`;
}
