import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { ConformanceReporter } from "./conformance-reporter.ts";

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  test: {
    include: ["test/interop/*.test.ts"],
    globalSetup: ["test/interop/debian-packages.ts"],
    reporters: ["default", new ConformanceReporter()],
    // The real command and browsers, one after the other.
    fileParallelism: false,
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});
