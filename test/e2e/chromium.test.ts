import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startCommand } from "../support/command.ts";
import { findProgram } from "../support/program.ts";

const IMAGES = 100;
const chromium = findProgram("chromium");
if (chromium === undefined) {
  process.stderr.write(
    "Skipping the Chromium test: no chromium in PATH (apt-get install chromium)\n",
  );
}

describe.skipIf(chromium === undefined)("Chromium through socks5://", () => {
  it.each(["workerd", "node"])("draws a page of 100 images, edge on %s", async (runtime) => {
    const { server, port, drawn } = await startPage();
    const any = "127.0.0.1:0";
    const flags = ["--runtime", runtime, "--listen", any, "--admin", any, "--edge-listen", any];
    const local = await startCommand(["local", ...flags]);
    const profile = await mkdtemp(join(tmpdir(), "edgesocks-chromium-"));
    const browser = startChromium(local.portOf("socks"), profile, `http://127.0.0.1:${port}/`);
    expect(await drawn).toBe(IMAGES);
    browser.kill("SIGKILL");
    await once(browser, "exit");
    await local.stop();
    server.close();
    server.closeAllConnections();
    await rm(profile, { recursive: true, force: true, maxRetries: 10 });
  });
});

/** A page whose script counts the images that were drawn, and tells the server. */
async function startPage(): Promise<{ server: Server; port: number; drawn: Promise<number> }> {
  const drawn = Promise.withResolvers<number>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    if (url.pathname === "/") {
      response.setHeader("content-type", "text/html");
      response.end(page());
    } else if (url.pathname.startsWith("/image/")) {
      response.setHeader("content-type", "image/svg+xml");
      response.end(image(Number(url.pathname.slice(7))));
    } else {
      if (url.pathname === "/drawn") drawn.resolve(Number(url.searchParams.get("count")));
      response.end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port, drawn: drawn.promise };
}

function page(): string {
  const images = Array.from({ length: IMAGES }, (_, i) => `<img src="/image/${i}">`).join("");
  return `<!doctype html>${images}<script>
    addEventListener("load", () => {
      const count = [...document.images].filter((image) => image.naturalWidth > 0).length;
      fetch("/drawn?count=" + count);
    });
  </script>`;
}

function image(hue: number): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">
    <rect width="20" height="20" fill="hsl(${hue * 3} 80% 50%)"/></svg>`;
}

/** Without these flags Chromium asks its maker for updates and more, through the proxy too. */
const QUIET = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-domain-reliability",
  "--disable-extensions",
  "--disable-sync",
  "--no-pings",
];

function startChromium(proxyPort: number, profile: string, url: string): ChildProcess {
  const proxy = [
    `--proxy-server=socks5://127.0.0.1:${proxyPort}`,
    "--proxy-bypass-list=<-loopback>",
  ];
  const args = [...QUIET, `--user-data-dir=${profile}`, ...proxy, url];
  return spawn(chromium ?? "chromium", args, { stdio: "ignore" });
}
