import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export interface FirefoxProxy {
  readonly scheme: "socks4" | "socks5" | "http";
  readonly port: number;
  /** Whether the proxy is to resolve names. */
  readonly remoteDns: boolean;
}

/** Turns off most of what Firefox asks its maker for: updates, experiments, reports. */
const QUIET = {
  "app.normandy.enabled": false,
  "app.shield.optoutstudies.enabled": false,
  "app.update.enabled": false,
  "app.update.disabledForTesting": true,
  "browser.aboutConfig.showWarning": false,
  "browser.newtabpage.enabled": false,
  "browser.safebrowsing.downloads.remote.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.search.update": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "browser.startup.page": 0,
  "captivedetect.canonicalURL": "",
  "datareporting.healthreport.uploadEnabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "dom.push.connection.enabled": false,
  "extensions.getAddons.cache.enabled": false,
  "extensions.systemAddon.update.enabled": false,
  "extensions.update.enabled": false,
  "geo.enabled": false,
  "media.gmp-manager.updateEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "network.dns.disablePrefetch": true,
  "network.http.speculative-parallel-limit": 0,
  "network.prefetch-next": false,
  "network.trr.mode": 5,
  "nimbus.rollouts.enabled": false,
  "toolkit.telemetry.enabled": false,
  "toolkit.telemetry.unified": false,
  "toolkit.telemetry.server": "",
  "trailhead.firstrun.didSeeAboutWelcome": true,
};

/** Opens `url` in a Firefox without a window that goes through `proxy`. */
export function startFirefox(
  program: string,
  proxy: FirefoxProxy,
  profile: string,
  url: string,
): ChildProcess {
  const preferences = { ...QUIET, ...proxyPreferences(proxy) };
  const lines = Object.entries(preferences).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  writeFileSync(join(profile, "user.js"), lines.join(""));
  const args = ["--headless", "--no-remote", "--profile", profile, url];
  const env = { PATH: process.env["PATH"], HOME: profile, MOZ_CRASHREPORTER_DISABLE: "1" };
  return spawn(program, args, { env, stdio: "ignore" });
}

/**
 * A proxy for loopback alone: Firefox asks its maker for settings, advertisements and more whatever
 * QUIET says, and all of that ends at a port where nobody listens.
 */
function proxyPreferences({ scheme, port, remoteDns }: FirefoxProxy): object {
  const word = { socks4: "SOCKS4", socks5: "SOCKS5", http: "PROXY" }[scheme];
  const script = `function FindProxyForURL(url, host) {
    const isOurs = host === "127.0.0.1" || host === "localhost";
    return isOurs ? "${word} 127.0.0.1:${port}" : "PROXY 127.0.0.1:9";
  }`;
  return {
    "network.proxy.type": 2,
    "network.proxy.autoconfig_url": `data:text/javascript,${encodeURIComponent(script)}`,
    "network.proxy.allow_hijacking_localhost": true,
    "network.proxy.failover_direct": false,
    "network.proxy.socks_remote_dns": remoteDns,
    "network.proxy.socks5_remote_dns": remoteDns,
  };
}
