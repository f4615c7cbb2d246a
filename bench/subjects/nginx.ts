import { userInfo } from "node:os";
import { freePort } from "../ports.ts";
import { firstLine, missingProgram, requireProgram } from "../programs.ts";
import type { Worker, Workshop } from "../workshop.ts";

const NGINX = { command: "nginx", debianPackage: "nginx-light" };

/** A TLS port in front of a WebSocket server. */
export type TlsFront = Readonly<{ worker: Worker; port: number }>;

/** What has to be installed first; undefined when nothing is missing. */
export const missingNginx = (): string | undefined => missingProgram([NGINX]);

export const nginxVersion = (): string => firstLine(requireProgram(NGINX), ["-v"]) ?? "unknown";

/** Starts an nginx that takes TLS off and passes WebSockets on to a port of 127.0.0.1. */
export async function startTlsFront(
  workshop: Workshop,
  backendPort: number,
  certificate: Readonly<{ certificateFile: string; keyFile: string }>,
): Promise<TlsFront> {
  const port = await freePort();
  const { certificateFile, keyFile } = certificate;
  // Everything that nginx would otherwise look for below /var.
  const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${workshop.path(`nginx-${name}`)};`,
  );
  const config = `
${userInfo().uid === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${workshop.path("nginx.pid")};
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  ${folders.join("\n  ")}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificateFile};
    ssl_certificate_key ${keyFile};
    location / {
      proxy_pass http://127.0.0.1:${backendPort};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 300s;
      proxy_buffer_size 256k;
      proxy_buffers 4 256k;
    }
  }
}
`;
  const args = ["-c", workshop.write("nginx.conf", config), "-p", workshop.folder, "-e", "stderr"];
  const worker = workshop.start("nginx", requireProgram(NGINX), args);
  await workshop.untilListening(worker, port);
  return { worker, port };
}
