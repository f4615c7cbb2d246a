import {
  edgesocksAdaptive,
  edgesocksNode,
  edgesocksNodeTls,
  edgesocksNodeUnresumed,
  edgesocksWorkerd,
  edgesocksWorkerdTls,
  edgesocksWorkerdUnresumed,
} from "./edgesocks.ts";
import { microsocks } from "./microsocks.ts";
import { none } from "./none.ts";
import { ssh } from "./ssh.ts";
import type { Subject } from "./subject.ts";
import { v2rayWs, v2rayWsMux, v2rayWsTls } from "./v2ray.ts";

/** In the order of the report; --peers names some of them. */
export const subjects: readonly Subject[] = [
  none,
  microsocks,
  ssh,
  v2rayWs,
  v2rayWsMux,
  v2rayWsTls,
  edgesocksNode,
  // Beside those that they are compared with, and so as close to them in time.
  edgesocksNodeUnresumed,
  edgesocksWorkerd,
  edgesocksWorkerdUnresumed,
  edgesocksNodeTls,
  edgesocksWorkerdTls,
  edgesocksAdaptive,
];

/** Those of --quick. */
export const QUICK_PEERS: readonly string[] = [
  ssh.name,
  v2rayWs.name,
  edgesocksNode.name,
  edgesocksWorkerd.name,
];

/** The subjects that the others are compared with. */
export const YARDSTICKS: readonly string[] = [ssh.name, v2rayWs.name];
