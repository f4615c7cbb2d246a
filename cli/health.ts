import { ConfigError, messageOf } from "../protocol/errors.ts";

/** Longer than a healthy service takes, and shorter than a container engine waits. */
const TIMEOUT_MS = 5000;
/** The page is "ok" and a line break; another one is not ours. */
const MAX_PAGE_BYTES = 1024;

/**
 * `edgesocks health URL`: asks a /healthz page, for container engines, in whose images there is no curl.
 *
 * @throws ConfigError for a URL that cannot be asked
 * @throws Error when the answer is not that of a healthy service
 */
export async function checkHealth(text: string): Promise<void> {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new ConfigError(`Cannot ask ${JSON.stringify(text)}: expected http://HOST:PORT/healthz`);
  }
  const problem = await problemOf(url);
  if (problem !== undefined) throw new Error(`Cannot call ${url.origin} healthy: ${problem}`);
}

async function problemOf(url: URL): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { redirect: "manual", signal });
    const page = await readStart(response);
    if (!response.ok) return `it answered ${response.status}`;
    return page.trim() === "ok" ? undefined : 'it did not answer "ok"';
  } catch (error) {
    // fetch() says what was wrong in the cause.
    const { cause } = error as Error;
    return messageOf(cause ?? error);
  }
}

/** The page, or as much of it as it may be long. */
async function readStart(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_PAGE_BYTES) break;
  }
  return Buffer.concat(chunks).toString();
}
