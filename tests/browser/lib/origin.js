// The site itself: a real nginx on loopback with TLS and HTTP/2, its own configuration, log and process.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { makeCertificates } from './certs.js';
import { findProgram } from './paths.js';
import { freePort, waitFor } from './scope.js';

// Browsers and libcurl take every name under .localhost as loopback by themselves, so no resolver has to be changed.
export const NAMES = ['game.localhost', 'other.localhost', 'localhost'];

const LOG_PATH = '/--logged/';

const online = new Set();

/** `logged` of every site. */
export function allLogged() {
  return Promise.all([...online].map(origin => origin.logged()));
}

/**
 * Starts a site. `root` is its webroot (a fresh folder when not given); `headers` maps an nginx location ("/", "= /csp.html")
 * to response headers; `conf` is further text for the server block.
 */
export async function startOrigin(scope, { root, name = NAMES[0], headers = {}, conf = '', port } = {}) {
  const folder = scope.folder('origin');
  if (!root) {
    root = join(folder, 'root');
    mkdirSync(root);
  }
  const tls = await makeCertificates(folder, NAMES);
  const origin = new Origin(scope, { folder, root, name, tls, headers, conf, port: port ?? await freePort() });
  await origin.start();
  return origin;
}

class Origin {
  #scope;
  #child;
  #logMark = 0;
  #asked = 0;

  constructor(scope, { folder, root, name, tls, headers, conf, port }) {
    this.#scope = scope;
    Object.assign(this, { folder, root, name, port, headers, conf });
    this.caFile = tls.caFile;
    this.tls = tls;
    this.address = `127.0.0.1:${port}`;
    this.url = `https://${name}:${port}`;
    this.logFile = join(folder, 'access.log');
    writeFileSync(this.logFile, '');
  }

  /** Another address of the same server: a foreign site for isolation tests. */
  urlFor(name) {
    return `https://${name}:${this.port}`;
  }

  async start() {
    const confFile = join(this.folder, 'nginx.conf');
    writeFileSync(confFile, this.#configuration());
    const log = join(this.folder, 'nginx.log');
    const child = this.#scope.start(findProgram('nginx', 'nginx-light'), ['-p', this.folder, '-c', confFile, '-e', log], { log });
    this.#child = child;
    await waitFor(`nginx on ${this.address}`, () => {
      const failure = child.failure();
      if (failure) throw Object.assign(failure, { fatal: true });
      return canConnect(this.port);
    });
    online.add(this);
  }

  /** The origin goes down: connections are refused until `start` is called again. */
  async stop() {
    online.delete(this);
    await this.#child.stop('SIGTERM');
  }

  async restart() {
    await this.stop();
    await this.start();
  }

  /** Puts the label of release `seq` on every page (location "/"). */
  async label(seq) {
    const link = `</.well-known/fringe/release.json>; rel="fringe"; seq=${seq}`;
    this.headers = { ...this.headers, '/': { ...this.headers['/'], Link: link } };
    await this.restart();
  }

  /**
   * Waits until the site has logged all that it has sent. A browser has the last byte before the site writes its line, but the
   * site's one process takes no further request before that.
   */
  async logged() {
    const path = `${LOG_PATH}${++this.#asked}`;
    const reached = await new Promise(resolve => {
      https.get({ port: this.port, host: '127.0.0.1', path, agent: false, rejectUnauthorized: false }, reply => reply.resume().on('end', () => resolve(true)))
        .on('error', () => resolve(false));
    });
    if (reached) await waitFor('the access log', () => readFileSync(this.logFile, 'utf8').includes(`"${path}"`));
  }

  /** From here on `requests` leaves out what came before. */
  mark() {
    this.#logMark = readFileSync(this.logFile, 'utf8').length;
  }

  /**
   * The requests since the last mark: {method, path, query, status, bytes (of body), sent (with headers), range, agent, dest}.
   * `prefix` keeps only the paths that start with it.
   */
  requests(prefix = '/') {
    return readFileSync(this.logFile, 'utf8').slice(this.#logMark).split('\n').filter(Boolean).map(toRequest)
      .filter(request => request.path.startsWith(prefix) && !request.path.startsWith(LOG_PATH));
  }

  /** Body bytes sent since the last mark. */
  bytes(prefix = '/') {
    return this.requests(prefix).reduce((sum, request) => sum + request.bytes, 0);
  }

  #configuration() {
    const locations = { '/': {}, ...this.headers };
    return `
${process.getuid() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid ${this.folder}/nginx.pid;
error_log ${this.folder}/error.log warn;
events { worker_connections 512; }
http {
  include ${MIME_TYPES};
  types { text/javascript mjs; application/json map; application/manifest+json webmanifest; }
  default_type application/octet-stream;
  log_format fringe escape=json '{"time":$msec,"method":"$request_method","uri":"$request_uri","status":$status,"bytes":$body_bytes_sent,'
    '"sent":$bytes_sent,"protocol":"$server_protocol","range":"$http_range","agent":"$http_user_agent","dest":"$http_sec_fetch_dest",'
    '"cookie":"$http_cookie","host":"$http_host"}';
  access_log ${this.logFile} fringe;
  client_body_temp_path ${this.folder}/body;
  proxy_temp_path ${this.folder}/proxy;
  fastcgi_temp_path ${this.folder}/fastcgi;
  uwsgi_temp_path ${this.folder}/uwsgi;
  scgi_temp_path ${this.folder}/scgi;
  sendfile on;
  keepalive_timeout 65;
  server {
    listen ${this.address} ssl http2;
    server_name ${NAMES.join(' ')};
    ssl_certificate ${this.tls.certFile};
    ssl_certificate_key ${this.tls.keyFile};
    root ${this.root};
    location ${LOG_PATH} { return 204; }
    ${this.conf}
${Object.entries(locations).map(([location, headers]) => locationBlock(location, headers)).join('\n')}
  }
}
`;
  }
}

const MIME_TYPES = '/etc/nginx/mime.types';

function locationBlock(location, headers) {
  const lines = Object.entries(headers).map(([name, value]) => `      add_header ${name} '${value.replaceAll("'", "\\'")}' always;`);
  return [`    location ${location} {`, ...lines, '    }'].join('\n');
}

function toRequest(line) {
  const { uri, ...request } = JSON.parse(line);
  const [path, query = ''] = uri.split(/\?(.*)/s);
  return { ...request, path, query };
}

function canConnect(port) {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.destroy() && resolve(true));
    socket.once('error', () => resolve(false));
  });
}
