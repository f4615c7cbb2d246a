import { installMissing } from "../support/debian.ts";
import { type Client, clients, debianPackagesOf } from "./clients.ts";

export function setup(): void {
  const all: readonly Client[] = Object.values(clients);
  installMissing(all.flatMap(debianPackagesOf));
}
