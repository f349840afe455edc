// A site of few lines, for what a web server does not do by itself: an enter page that hangs, a worker that does not install, cookies that
// are cleared. It takes part like any other: labelled pages, the site's worker, the enter page, a folder of shared files.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { extname, join } from 'node:path';
import { makeCertificates } from './certs.js';
import { EXTENSION } from './paths.js';
import { writeSiteFiles } from './mock.js';
import { freePort } from './scope.js';
import { writeSmallSite } from './small-site.js';

export const ENTER_PAGE = '/.well-known/fringe/enter.html';
const NAME = 'game.localhost';
const LABEL = '</.well-known/fringe/release.json>; rel="fringe"; seq=1';
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.txt': 'text/plain', '.svg': 'image/svg+xml' };

/**
 * Sites that share one certificate and one folder; each has a port, and so an origin, of its own. `add(name, answer)` makes one:
 * `answer(request, response, site)` is true when it has dealt with the request, or false for what every site does.
 */
export async function scriptedSites(scope, { extension = EXTENSION, ...files } = {}) {
  const folder = scope.folder('scripted');
  const tls = await makeCertificates(folder, [NAME]);
  const root = writeSmallSite(join(folder, 'root'), { bigBytes: 300_000, ...files });
  writeSiteFiles(root, { seq: 1, bases: ['/static/'] }, extension);
  return {
    root,
    async add(answer = () => false) {
      const site = new ScriptedSite(root, tls, await freePort(), answer);
      await site.start();
      scope.defer(() => site.stop());
      return site;
    },
  };
}

class ScriptedSite {
  #root;
  #tls;
  #answer;
  #server;
  #mark = 0;

  constructor(root, tls, port, answer) {
    this.#root = root;
    this.#tls = tls;
    this.#answer = answer;
    this.port = port;
    this.address = `127.0.0.1:${port}`;
    this.url = `https://${NAME}:${port}`;
    this.caFile = tls.caFile;
    /** {method, path, query, headers}, oldest first. */
    this.seen = [];
    this.label = LABEL;
    /** What the mock host knows of it. */
    this.release = { seq: 1, bases: ['/static/'], version: '1.0', root };
  }

  start() {
    const { keyFile, certFile } = this.#tls;
    this.#server = createServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) }, (request, response) => this.#received(request, response));
    return new Promise(resolve => this.#server.listen(this.port, '127.0.0.1', resolve));
  }

  stop() {
    this.#server.closeAllConnections();
    return new Promise(resolve => this.#server.close(resolve));
  }

  /** Replaces what the site does by itself. */
  set(answer) {
    this.#answer = answer;
  }

  /** From here on `paths` leaves out what came before. */
  mark() {
    this.#mark = this.seen.length;
  }

  /** "METHOD /path?query" of what was asked since the last mark; `prefix` keeps only the paths that begin so. */
  paths(prefix = '/') {
    return this.seen.slice(this.#mark).filter(({ path }) => path.startsWith(prefix)).map(({ method, path, query }) => `${method} ${path}${query}`);
  }

  /** How often the enter page was asked for since the last mark. */
  get entered() {
    return this.paths(ENTER_PAGE).length;
  }

  #received(request, response) {
    const { pathname, search } = new URL(request.url, this.url);
    const asked = { method: request.method, path: pathname, query: search, headers: request.headers };
    this.seen.push(asked);
    request.resume();
    response.on('error', () => {});
    if (!this.#answer(asked, response, this)) this.serve(asked, response);
  }

  /** The site's own answer to anything: a file, or one and the same page under every other path. */
  serve({ path, method }, response) {
    const isFile = /^\/(static|\.well-known)\/|^\/fringe-sw\.js$/.test(path);
    const name = isFile ? path : '/index.html';
    try {
      const body = readFileSync(join(this.#root, name));
      this.send(response, { body: method === 'HEAD' ? '' : body, type: TYPES[extname(name)] ?? 'application/octet-stream', label: isFile ? '' : this.label });
    } catch {
      this.send(response, { status: 404, body: '<!doctype html><title>404</title><script>window.lost = true</script>' });
    }
  }

  send(response, { status = 200, body = '', type = 'text/html', label = this.label, headers = {} }) {
    response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, ...(label ? { link: label } : {}), ...headers });
    response.end(body);
  }
}
