import { type ChildProcess, spawn } from "node:child_process";

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
  "--disable-features=NetworkTimeServiceQuerying,OptimizationHints,OptimizationGuideModelDownloading",
  "--component-updater=url-source=http://127.0.0.1:9/",
  "--gaia-url=http://127.0.0.1:9/",
];

/** Opens `url` in a Chromium that goes through `proxy`, such as socks5://127.0.0.1:1080. */
export function startChromium(
  program: string,
  proxy: string,
  profile: string,
  url: string,
): ChildProcess {
  // The tests' pages are http:. Whatever Chromium still asks for by https: ends at a closed port.
  const servers = `--proxy-server=http=${proxy};https=http://127.0.0.1:9`;
  const flags = [servers, "--proxy-bypass-list=<-loopback>"];
  const args = [...QUIET, `--user-data-dir=${profile}`, ...flags, url];
  return spawn(program, args, { stdio: "ignore" });
}
