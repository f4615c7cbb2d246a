import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** How many images the page has. */
export const IMAGES = 100;

export interface ImagePage {
  readonly port: number;
  /** Resolves with the number of images that a browser has drawn. */
  readonly drawn: Promise<number>;
  close(): void;
}

/** A page whose script counts the images that were drawn, and tells the server. */
export async function startImagePage(): Promise<ImagePage> {
  const drawn = Promise.withResolvers<number>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    if (url.pathname === "/") {
      response.setHeader("content-type", "text/html");
      response.end(page());
    } else if (url.pathname.startsWith("/image/")) {
      response.setHeader("content-type", "image/svg+xml");
      response.end(image(Number(url.pathname.slice(7))));
    } else {
      if (url.pathname === "/drawn") drawn.resolve(Number(url.searchParams.get("count")));
      response.end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    drawn: drawn.promise,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function page(): string {
  const images = Array.from({ length: IMAGES }, (_, i) => `<img src="/image/${i}">`).join("");
  return `<!doctype html>${images}<script>
    addEventListener("load", () => {
      const count = [...document.images].filter((image) => image.naturalWidth > 0).length;
      fetch("/drawn?count=" + count);
    });
  </script>`;
}

function image(hue: number): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">
    <rect width="20" height="20" fill="hsl(${hue * 3} 80% 50%)"/></svg>`;
}
