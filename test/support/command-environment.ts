import { fileURLToPath } from "node:url";

/**
 * What every command that a test starts is told. Node keeps what it has made of our sources: most
 * of a command's start is spent on that, and the tests start hundreds of them.
 */
export const commandEnvironment: Readonly<Record<string, string>> = {
  PATH: process.env["PATH"] ?? "",
  NODE_COMPILE_CACHE: fileURLToPath(new URL("../../node_modules/.cache/node", import.meta.url)),
};
