import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import type { ReadStream } from "node:tty";
import { ConfigError } from "../protocol/errors.ts";

/** More than any password: the rest of a longer line is not waited for. */
const MAX_LINE_BYTES = 4096;

/** A password that somebody types unseen, or the first line of what is piped in. @throws ConfigError */
export async function readPassword(input: ReadStream, prompts: Writable): Promise<string> {
  if (!input.isTTY) return readFirstLine(input);
  const [password, again] = await readUnseen(input, prompts);
  if (password === undefined || again === undefined) {
    throw new ConfigError("Cannot read the password: nobody gave one");
  }
  if (password === again) return password;
  throw new ConfigError("Cannot use the password: the two are not the same");
}

/** Asks twice, as nobody can see a slip of the finger. Fewer lines come when the user gives up. */
function readUnseen(input: ReadStream, prompts: Writable): Promise<string[]> {
  const typed: string[] = [];
  return new Promise((resolve) => {
    // It edits the line, and with an output that shows nothing, unseen.
    const output = new Writable({ write: (_chunk, _encoding, done) => done() });
    const lines = createInterface({ input, output, terminal: true, historySize: 0 });
    // Not before the terminal has been told to show nothing.
    prompts.write("Password: ");
    lines.on("line", (line) => {
      typed.push(line);
      if (typed.length === 1) prompts.write("\nThe same again: ");
      else lines.close();
    });
    // By Ctrl-C or Ctrl-D, too.
    lines.once("close", () => {
      prompts.write("\n");
      resolve(typed);
    });
  });
}

async function readFirstLine(input: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of input) {
    chunks.push(chunk);
    length += chunk.length;
    if (chunk.includes("\n") || length > MAX_LINE_BYTES) break;
  }
  const [line = ""] = decode(Buffer.concat(chunks)).split(/\r?\n/);
  return line;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError("Cannot read the password: it is not UTF-8", { cause });
  }
}
