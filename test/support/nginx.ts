import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { makeCertificate } from "./certificate.ts";
import { findProgram } from "./program.ts";
import { closedPort } from "./target.ts";
import { tempFolder } from "./temp-folder.ts";

/** nginx in front of an edge, for the running test only. */
export interface Nginx {
  /** Where it speaks TLS, on 127.0.0.1. */
  readonly port: number;
  /** The certificate it shows, as a PEM file. */
  readonly certFile: string;
}

/** Debian has it where only root's PATH looks. */
const nginx = findProgram("nginx") ?? ["/usr/sbin/nginx"].find((file) => existsSync(file));

/** Why there is no nginx; undefined where there is one. */
export const nginxMissing =
  nginx === undefined || findProgram("openssl") === undefined
    ? "Skipping the edge behind nginx: nginx or openssl is not installed"
    : undefined;
if (nginxMissing !== undefined) process.stderr.write(`${nginxMissing}\n`);

/** The configuration that docs/self-hosting.md gives to users. */
export function documentedServer(): string {
  const page = readFileSync(new URL("../../docs/self-hosting.md", import.meta.url), "utf8");
  const block = /```nginx\n([^]*?)```/.exec(page)?.[1];
  if (block === undefined) throw new Error("docs/self-hosting.md has no configuration of nginx");
  return block;
}

/** Starts nginx with a server block in which the places that a user fills in are filled in. */
export async function startNginx(edgePort: number, server: string): Promise<Nginx> {
  const { cert, key } = makeCertificate();
  const port = await closedPort();
  const block = server
    .replace("listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`)
    .replace("server_name edge.example;", "server_name localhost;")
    .replace(/ssl_certificate +\S+;/, "ssl_certificate cert.pem;")
    .replace(/ssl_certificate_key +\S+;/, "ssl_certificate_key key.pem;")
    .replace("http://127.0.0.1:8443;", `http://127.0.0.1:${edgePort};`);
  const folder = tempFolder({ "cert.pem": cert, "key.pem": key, "nginx.conf": whole(block) });
  const child = spawn(nginx ?? "nginx", ["-p", folder, "-e", "stderr", "-c", "nginx.conf"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  while (!(await isOpen(port))) {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${errors}`);
  }
  return { port, certFile: join(folder, "cert.pem") };
}

/** A configuration that keeps all of nginx in its folder. */
function whole(server: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const isRoot = process.getuid?.() === 0;
  return `
daemon off;
worker_processes 1;
pid nginx.pid;
${isRoot ? "user root;" : ""}
events {}
http {
  access_log off;
  ${kinds.map((kind) => `${kind}_temp_path ${kind};`).join("\n  ")}
  ${server}
}
`;
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const opened = once(socket, "connect").then(
    () => true,
    () => false,
  );
  return opened.finally(() => socket.destroy());
}
