import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where a program is in PATH; undefined when this machine does not have it. */
export function findProgram(name: string): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
