#!/usr/bin/env node
// The published package holds compiled files; a checkout runs its sources, which Node 22.18 and
// later can.
import { existsSync } from "node:fs";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `edgesocks: Cannot run on Node ${process.versions.node}: 22.18 or later is needed\n`,
  );
  process.exit(2);
}
const source = new URL("../cli/main.ts", import.meta.url);
const built = new URL("../dist/cli/main.js", import.meta.url);
const { main } = await import(existsSync(source) ? source.href : built.href);
await main(process.argv.slice(2));
