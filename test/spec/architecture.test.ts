import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** Folders that hold what tools have made. */
const MADE = ["node_modules", "dist", "coverage"];
const ROOMS = ["protocol", "client-agent", "edge-worker", "cli"];
const FORBIDDEN_NAMES = ["utils", "helpers", "common", "misc", "index"];
const MAX_LINES = 400;

/** Sources without a test of their own, and what tests them instead. */
const TESTED_ELSEWHERE: Readonly<Record<string, string>> = {
  "cli/commands.ts": "every test that starts the command line; each command by e2e",
  "cli/edge-door.ts": "cli/tables.test.ts, which walks all tables",
  "client-agent/listeners/request.ts": "types alone",
  "edge-worker/egress/upstream/upstream.ts": "types alone",
  "edge-worker/node/accept-carrier.ts": "edge-worker/node/serve.test.ts, which calls it",
  "edge-worker/egress/dns/name-source.ts": "types alone",
  "edge-worker/egress/outbound.ts": "types and defaults; cli/outbound.test.ts",
  "edge-worker/egress/outlet.ts": "types, and one line in egress/filtered-association.test.ts",
  "edge-worker/egress/turn/turn-server.ts": "types alone",
  "edge-worker/node/turn-server.ts": "contract/udp.ts, with coturn by TCP and by TLS",
  "edge-worker/node/serve-workerd.ts": "contract/edge-workerd.test.ts",
  "edge-worker/node/workerd-process.ts": "contract/edge-workerd.test.ts, cli/edge-process.test.ts",
  "edge-worker/node/worker-bundle.ts": "contract/edge-workerd.test.ts, which runs the bundle",
  "edge-worker/users/usage.ts": "types, and a store that does nothing",
  "edge-worker/services/service.ts": "every test of a service: what they share",
  "protocol/carrier.ts": "types alone",
  "protocol/log.ts": "types alone",
  "protocol/node/node-clock.ts": "three calls of Node, in every test that uses sockets",
  "protocol/node/http-server.ts": "the tests of the servers that use it, admin and serve",
  "protocol/node/open-websocket.ts": "protocol/node/dial-carrier.test.ts, which calls it",
  "protocol/outbox.ts": "protocol/link.test.ts, of which it is the sending half",
  "protocol/session-options.ts": "types alone",
  "protocol/wire.ts": "spec/protocol-md.test.ts, number by number",
};

const folders = foldersBelow("");
const sources = folders
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)))
  .filter((path) => /\.(ts|js|c|h)$/.test(path));
const inRooms = sources.filter((path) => ROOMS.some((room) => path.startsWith(`${room}/`)));

describe("sources", () => {
  it("have a test in the same place, or are tested elsewhere", () => {
    const untested = inRooms
      // Workers' types and modules exist on workerd alone, which test/contract/ runs.
      .filter((path) => !path.startsWith("edge-worker/cloudflare/"))
      .filter((path) => !existsSync(join(root, "test", path.replace(/\.ts$/, ".test.ts"))));
    expect(new Set(untested)).toEqual(new Set(Object.keys(TESTED_ELSEWHERE)));
  });

  it("have names that say something", () => {
    const nameless = sources.filter((path) =>
      FORBIDDEN_NAMES.includes(basename(path).replace(/(\.test)?\.\w+$/, "")),
    );
    expect(nameless).toEqual([]);
  });

  it(`have at most ${MAX_LINES} lines`, () => {
    const long = sources.filter((path) => read(path).trimEnd().split("\n").length > MAX_LINES);
    expect(long).toEqual([]);
  });
});

describe("imports", () => {
  const allowed = allowedImports();

  it("of ARCHITECTURE.md's table are the references of the projects", () => {
    const projects = inRooms
      .map((path) => dirname(path))
      .filter((folder) => existsSync(join(root, folder, "tsconfig.json")));
    expect(new Set(allowed.keys())).toEqual(new Set(projects));
    for (const [room, rooms] of allowed) expect(new Set(referencesOf(room)), room).toEqual(rooms);
  });

  it("stay within that table", () => {
    const strays = inRooms.flatMap((path) => {
      const room = roomOf(path);
      return importsOf(path)
        .filter((name) => name.startsWith("."))
        .map((name) => roomOf(join(dirname(path), name)))
        .filter((other) => other !== room && !allowed.get(room)?.has(other))
        .map((other) => `${path} imports ${other}`);
    });
    expect(strays).toEqual([]);
  });

  it("of a platform are at the rims alone", () => {
    const isRim = (path: string): boolean => /(^cli|\/node|\/cloudflare)\//.test(path);
    const platform = inRooms.filter(
      (path) => !isRim(path) && importsOf(path).some((name) => /^(node|cloudflare):/.test(name)),
    );
    expect(platform).toEqual([]);
  });
});

describe("ARCHITECTURE.md", () => {
  it("has every folder on its map, and no other", () => {
    // Below test/ the other folders are mirrored, which the map says once.
    const isMirror = (folder: string): boolean =>
      folder.startsWith("test/") && folders.includes(relative("test", folder));
    expect(new Set(mapOfFolders())).toEqual(new Set(folders.filter((folder) => !isMirror(folder))));
  });

  it("names the dependencies of package.json", () => {
    const section = sectionOf("Dependencies");
    const named = Array.from(section.matchAll(/^\| ([a-z@][^|]*) \|/gm), ([, names = ""]) => names);
    const manifest = JSON.parse(read("package.json")) as Record<string, object>;
    const known = [manifest["dependencies"], manifest["devDependencies"]].flatMap((list) =>
      Object.keys(list ?? {}),
    );
    const packages = named.flatMap((names) => names.split(", "));
    const isHeading = (name: string): boolean => name === "package" || name === "for development";
    expect(new Set(packages.filter((name) => !isHeading(name)))).toEqual(new Set(known));
  });

  it("names files that exist", () => {
    const named = Array.from(
      read("ARCHITECTURE.md").matchAll(/`([\w./-]+\/[\w.-]+\.\w+)`/g),
      ([, path = ""]) => path,
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

/** All folders below one, by their paths from the root, without hidden ones and what tools made. */
function foldersBelow(parent: string): string[] {
  return readdirSync(join(root, parent), { withFileTypes: true })
    .filter(
      (entry) => entry.isDirectory() && !entry.name.startsWith(".") && !MADE.includes(entry.name),
    )
    .map((entry) => join(parent, entry.name))
    .flatMap((folder) => [folder, ...foldersBelow(folder)]);
}

function importsOf(path: string): string[] {
  const names = read(path).matchAll(/(?:\bfrom |\bimport\(|^import )"([^"]+)"/gm);
  return Array.from(names, ([, name = ""]) => name);
}

/** The innermost project that a path is in. */
function roomOf(path: string): string {
  const folder = dirname(path);
  return existsSync(join(root, folder, "tsconfig.json")) ? folder : roomOf(folder);
}

function referencesOf(room: string): string[] {
  const { references } = JSON.parse(read(join(room, "tsconfig.json"))) as {
    references: { path: string }[];
  };
  return references.map(({ path }) => join(room, path));
}

/** The text of ARCHITECTURE.md between a heading and the next of its rank. */
function sectionOf(heading: string): string {
  const [, section = ""] = read("ARCHITECTURE.md").split(`\n## ${heading}\n`);
  return section.split("\n## ")[0] ?? "";
}

function allowedImports(): Map<string, Set<string>> {
  const rows = sectionOf("Who may import whom").matchAll(/^\| ([a-z/-]+) \| (.+) \|$/gm);
  return new Map(
    Array.from(rows, ([, room = "", rooms = ""]) => [room, new Set(rooms.split(", "))] as const)
      .filter(([room]) => room !== "room")
      .map(([room, rooms]) => [room, rooms.has("nothing") ? new Set<string>() : rooms]),
  );
}

/** The folders on the map, whose depth is two spaces a step. */
function mapOfFolders(): string[] {
  const [, map = ""] = sectionOf("The map").split("```");
  const above: string[] = [];
  return Array.from(map.matchAll(/^( *)([\w-]+)\/ /gm), ([, indent = "", name = ""]) => {
    const depth = indent.length / 2;
    above.splice(depth, Infinity, name);
    return above.join("/");
  });
}
