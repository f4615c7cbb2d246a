import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { startChromium } from "../support/chromium.ts";
import { startFirefox } from "../support/firefox.ts";
import { IMAGES, startImagePage } from "../support/image-page.ts";
import { clients } from "./clients.ts";
import type { Feature } from "./conformance.ts";
import { describeClient } from "./describe-client.ts";

/** Starts a browser with this profile at this page. */
type Start = (profile: string, url: string) => ChildProcess;

describeClient(clients.chromium, ["node", "workerd"], ({ port, check, streamsOpened }) => {
  const ways: readonly (readonly [Feature, string, string])[] = [
    ["SOCKS4", "socks4", "127.0.0.1"],
    ["SOCKS5", "socks5", "127.0.0.1"],
    ["SOCKS5, name", "socks5", "localhost"],
    ["HTTP", "http", "127.0.0.1"],
  ];
  for (const [feature, scheme, host] of ways) {
    check(feature, `a page of ${IMAGES} images by ${scheme}://`, async () => {
      const before = await streamsOpened();
      const proxy = `${scheme}://127.0.0.1:${port()}`;
      await expectDrawn(host, (profile, url) => startChromium("chromium", proxy, profile, url));
      expect(await streamsOpened()).toBeGreaterThan(before);
    });
  }
});

describeClient(clients.firefox, ["node", "workerd"], ({ port, check, streamsOpened }) => {
  const ways: readonly (readonly [Feature, "socks4" | "socks5" | "http", string, boolean])[] = [
    ["SOCKS4", "socks4", "127.0.0.1", false],
    ["SOCKS4a", "socks4", "localhost", true],
    ["SOCKS5", "socks5", "127.0.0.1", false],
    ["SOCKS5, name", "socks5", "localhost", true],
    ["HTTP", "http", "127.0.0.1", false],
  ];
  for (const [feature, scheme, host, remoteDns] of ways) {
    check(feature, `a page of ${IMAGES} images`, async () => {
      const before = await streamsOpened();
      const proxy = { scheme, port: port(), remoteDns };
      await expectDrawn(host, (profile, url) => startFirefox("firefox-esr", proxy, profile, url));
      expect(await streamsOpened()).toBeGreaterThan(before);
    });
  }
});

async function expectDrawn(host: string, start: Start): Promise<void> {
  const page = await startImagePage();
  onTestFinished(() => page.close());
  const profile = await mkdtemp(join(tmpdir(), "edgesocks-browser-"));
  onTestFinished(() => rm(profile, { recursive: true, force: true, maxRetries: 10 }));
  const browser = start(profile, `http://${host}:${page.port}/`);
  const exited = once(browser, "exit");
  onTestFinished(async () => {
    browser.kill("SIGKILL");
    await exited;
  });
  const ended = exited.then(([code]) => `the browser ended with ${String(code)}`);
  expect(await Promise.race([page.drawn, ended])).toBe(IMAGES);
}
