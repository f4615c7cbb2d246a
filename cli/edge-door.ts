import { count, endpoint, endpoints, fileName, forwardedFields, proxies } from "./setting-types.ts";
import type { Setting, SettingsTable } from "./settings.ts";

/** What both ends may be asked about themselves. */
export const admin = {
  schema: endpoint,
  value: "address",
  help: "Address of /healthz and /metrics (default: not served)",
} as const satisfies Setting;

/** The doors of an edge, and who may come through them. */
export const door = {
  listen: {
    schema: endpoints,
    value: "addresses",
    fallback: "127.0.0.1:8443",
    help: "Addresses to listen on, each HOST:PORT or unix:PATH",
  },
  "listen-plain": {
    schema: endpoints,
    value: "addresses",
    help: "More addresses, without TLS even where there is a certificate",
  },
  "tls-cert": {
    schema: fileName,
    value: "file",
    help: "PEM file of the certificate chain; read again when it changes",
  },
  "tls-key": { schema: fileName, value: "file", help: "PEM file of the certificate's key" },
  admin,
  "trusted-proxies": {
    schema: proxies,
    value: "cidrs",
    help: "Proxies in front that are believed about who asks, such as 10.0.0.0/8, or unix",
  },
  "forwarded-headers": {
    schema: forwardedFields,
    value: "names",
    fallback: "x-forwarded-for",
    help: "What these proxies set: x-forwarded-for or forwarded, and x-forwarded-host",
  },
  "max-connections": {
    schema: count(1, 1_000_000),
    value: "n",
    fallback: 4096,
    help: "Connections to the edge at once, with --runtime node",
  },
  "max-connections-per-address": {
    schema: count(1, 1_000_000),
    value: "n",
    fallback: 512,
    help: "Of these, connections from one IP address or one IPv6 network (/64)",
  },
} as const satisfies SettingsTable;
