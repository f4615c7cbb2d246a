import { createPolicy } from "../../edge-worker/policy/policy.ts";

/** What an edge allows that was told nothing, of TCP by anybody. */
export const strictPolicy = createPolicy({ allowPrivate: false, rules: [] }, "test", "tcp");
/** The same where private targets are allowed. */
export const openPolicy = createPolicy({ allowPrivate: true, rules: [] }, "test", "tcp");
