import { edgesocksNode, edgesocksWorkerd } from "./edgesocks.ts";
import { microsocks } from "./microsocks.ts";
import { none } from "./none.ts";
import { ssh } from "./ssh.ts";
import type { Subject } from "./subject.ts";
import { v2rayWs, v2rayWsMux, v2rayWsTls } from "./v2ray.ts";

/** What is measured unless --peers says otherwise. */
export const ordinarySubjects: readonly Subject[] = [
  none,
  microsocks,
  ssh,
  v2rayWs,
  v2rayWsMux,
  edgesocksNode,
  edgesocksWorkerd,
];

/** Everything that --peers may name. */
export const allSubjects: readonly Subject[] = [...ordinarySubjects, v2rayWsTls];

/** The subjects that the others are compared with. */
export const YARDSTICKS: readonly string[] = [ssh.name, v2rayWs.name];
