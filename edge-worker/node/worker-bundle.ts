import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** Where the package build puts the bundle, seen from dist/edge-worker/node/. */
const BUILT = new URL("../../worker.js", import.meta.url);
const SOURCE = new URL("../cloudflare/worker.ts", import.meta.url);

/** The Worker as one ES module: the built one in the package, bundled at once in a checkout. */
export async function loadWorkerBundle(): Promise<string> {
  return import.meta.url.endsWith(".ts") ? bundleWorker() : readFile(BUILT, "utf8");
}

/** Bundles the Worker's sources. Needs esbuild, a development dependency. */
export async function bundleWorker(): Promise<string> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(SOURCE)],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*"],
    conditions: ["workerd", "worker", "import"],
  });
  const [bundle] = outputFiles;
  if (!bundle) throw new Error("Cannot bundle the Worker: esbuild gave no output");
  return bundle.text;
}
