import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startChromium } from "../support/chromium.ts";
import { startCommand } from "../support/command.ts";
import { IMAGES, startImagePage } from "../support/image-page.ts";
import { findProgram } from "../support/program.ts";

const chromium = findProgram("chromium");
if (chromium === undefined) {
  process.stderr.write(
    "Skipping the Chromium test: no chromium in PATH (apt-get install chromium)\n",
  );
}

describe.skipIf(chromium === undefined)("Chromium through socks5://", () => {
  it.each(["workerd", "node"])("draws a page of 100 images, edge on %s", async (runtime) => {
    const page = await startImagePage();
    const any = "127.0.0.1:0";
    const flags = ["--runtime", runtime, "--listen", any, "--admin", any, "--edge-listen", any];
    const local = await startCommand(["local", ...flags]);
    const profile = await mkdtemp(join(tmpdir(), "edgesocks-chromium-"));
    const proxy = `socks5://127.0.0.1:${local.portOf("socks")}`;
    const url = `http://127.0.0.1:${page.port}/`;
    const browser = startChromium(chromium ?? "chromium", proxy, profile, url);
    expect(await page.drawn).toBe(IMAGES);
    browser.kill("SIGKILL");
    await once(browser, "exit");
    await local.stop();
    page.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 10 });
  });
});
