import { afterEach, describe, expect, it, vi } from "vitest";
import { type RunningCommand, startCommand } from "../support/command.ts";
import { closedPort } from "../support/target.ts";
