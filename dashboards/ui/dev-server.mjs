/* The developer's server: dist/ and the dashboards from disk, the API from another server.
 *
 *   node dev-server.mjs [--listen 127.0.0.1:9099] [--api http://127.0.0.1:9095] [--prefix /sonde]
 *       [--dashboards FOLDER] [--watch]
 *
 * Any server with the Prometheus HTTP API will do. Headers are those of the real server, the strict
 * Content-Security-Policy included, so that what works here works there.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, watch } from 'node:fs';
import http from 'node:http';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const flag = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : process.argv[at + 1];
};

const [host, port] = flag('listen', '127.0.0.1:9099').split(':');
const api = new URL(flag('api', 'http://127.0.0.1:9095'));
const prefix = flag('prefix', '').replace(/\/$/, '');
const dashboards = flag('dashboards', join(here, '..'));

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
};

function dashboardIndex() {
  return readdirSync(dashboards)
    .filter((f) => f.endsWith('.json'))
    .sort()
    .map((f) => {
      const { uid, title, description, tags } = JSON.parse(
        readFileSync(join(dashboards, f), 'utf8'),
      );
      return { name: f.slice(0, -5), uid, title, description, tags };
    });
}

function locate(path) {
  if (path === '/' || path === '/graph' || path === '/traces') {
    return join(here, 'dist', 'index.html');
  }
  const dashboard = /^\/ui\/dashboards\/([\w-]+\.json)$/.exec(path);
  if (dashboard) {
    return join(dashboards, dashboard[1]);
  }
  const asset = /^\/ui\/([\w.-]+)$/.exec(path);
  return asset && join(here, 'dist', asset[1]);
}

function answer(response, status, type, body) {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Security-Policy': POLICY,
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-cache',
  });
  response.end(body);
}

function proxy(request, response, path) {
  const upstream = http.request(
    {
      host: api.hostname,
      port: api.port,
      path: api.pathname.replace(/\/$/, '') + path,
      method: request.method,
      headers: { ...request.headers, host: api.host },
    },
    (reply) => {
      response.writeHead(reply.statusCode, reply.headers);
      reply.pipe(response);
    },
  );
  upstream.on('error', () => answer(response, 502, 'text/plain', 'the API server does not answer'));
  request.pipe(upstream);
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (!url.pathname.startsWith(`${prefix}/`)) {
    answer(response, 404, 'text/plain', `everything is below ${prefix}/`);
    return;
  }
  const path = url.pathname.slice(prefix.length);
  if (path.startsWith('/api/')) {
    proxy(request, response, path + url.search);
    return;
  }
  if (path === '/ui/dashboards/index.json') {
    answer(response, 200, TYPES['.json'], JSON.stringify(dashboardIndex()));
    return;
  }
  const file = locate(path);
  try {
    answer(response, 200, TYPES[extname(file)] ?? 'application/octet-stream', readFileSync(file));
  } catch {
    answer(response, 404, 'text/plain', 'not found');
  }
});

server.listen(Number(port), host, () =>
  console.log(`http://${host}:${port}${prefix}/ with the API of ${api.href}`),
);

if (process.argv.includes('--watch')) {
  let timer;
  watch(
    join(here, 'src'),
    {
      recursive: process.platform !== 'linux' || Number(process.versions.node.split('.')[0]) >= 20,
    },
    () => {
      clearTimeout(timer);
      timer = setTimeout(
        () => spawn(process.execPath, [join(here, 'build.mjs')], { stdio: 'inherit' }),
        100,
      );
    },
  );
}
