import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    include: ["test/chaos/*.test.ts"],
    globalSetup: ["test/chaos/debian-packages.ts"],
    // Real time passes here: a black hole is noticed after some seconds.
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 60_000,
  },
});
