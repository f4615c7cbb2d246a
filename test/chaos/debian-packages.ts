import { debianPackagesOf } from "../interop/clients.ts";
import { installMissing } from "../support/debian.ts";
import { programs } from "./programs.ts";

/** coturn gives the edge on workerd its UDP. */
export function setup(): void {
  installMissing([...Object.values(programs).flatMap(debianPackagesOf), "coturn"]);
}
