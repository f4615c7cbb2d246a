import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleWorker } from "../edge-worker/node/worker-bundle.ts";

// What npm publishes: JavaScript file by file, as Node strips no types under node_modules, and the
// Worker in one piece for `edgesocks local --runtime workerd`.
const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");

rmSync(dist, { recursive: true, force: true });
execFileSync("tsc", ["-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
writeFileSync(join(dist, "worker.js"), await bundleWorker());
