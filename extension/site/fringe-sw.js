// Fringe's site worker, for browsers whose extensions cannot answer a page's requests themselves. It takes the page's requests
// for shared files, asks the visitor's Fringe extension for them, and goes to this site for everything else and whenever the
// extension, its host or the other visitors fail. The page always sees one whole response.
//
// A site with a service worker of its own composes the two by making this the first line of its worker:
//   self.FRINGE = { composed: true }; importScripts('/fringe-sw.js');
(() => {
  'use strict';

// The line below is replaced as a whole; everything else is the same on every site.
const CONFIG = {"seq":0,"bases":["/static/"]}; // written by fringe publish

  const composed = Boolean(self.FRINGE?.composed);

  // Firefox registers this worker so: there the extension answers requests itself, and needs little help (see `whole`).
  const viaFilter = new URLSearchParams(self.location.search).get('via') === 'filter';

  // How long a page waits for: an extension to introduce itself; a page to say which one it is; the extension to take a
  // request; its turn, when the page asks for hundreds at once; its first byte; each further byte. After each the origin
  // answers instead.
  const INTRODUCTION_MS = 400;
  const PAGE_MS = 400;
  const ACK_MS = 400;
  const TURN_MS = 10000;
  const FIRST_BYTE_MS = 1500;
  const STALL_MS = 2500;
  // After a failed introduction nobody waits again for so long, unless a page says hello.
  const SILENCE_MS = 10000;

  // The name of an empty cache: an extension has said hello to a composed worker.
  const KNOWN = 'fringe';

  const VALIDATORS = ['etag', 'last-modified'];
  const MEDIA = ['audio', 'video'];
  const MAX_PAGES = 256;
  const BUFFERED_CHUNKS = 8;

  // --- The way to the extension: a message port that a page's content script introduces. Only this class knows how the
  // extension is reached, so that something else may answer one day.

  class Transport {
    #port = null;
    #candidates = new Set();
    #introduction = null;
    #introduced = null;
    #silentUntil = 0;
    #exchanges = new Map();
    #nextId = 1;
    #heardAt = -Infinity;
    #channel = new BroadcastChannel('fringe');
    #greeted = false;
    #leaving = null;
    // A composed worker runs for visitors without Fringe, too, who must not wait for it: has an extension ever come forward here?
    #known = composed ? caches.has(KNOWN).catch(() => false) : Promise.resolve(true);

    /** False while the visitor has switched this site off, or its release is of no use. */
    on = true;

    get connected() {
      return this.#port !== null;
    }

    /** A content script said hello, so there is an extension. */
    greeted() {
      if (composed && !this.#greeted) caches.open(KNOWN).catch(() => {});
      this.#greeted = true;
      this.#silentUntil = 0;
    }

    /** Takes a port unless one works already: a page could not displace it later. */
    introduce(port) {
      if (this.#port || this.#candidates.size >= 4) return port.close();
      this.#candidates.add(port);
      port.onmessage = event => this.#received(port, event.data);
    }

    /** True as soon as the extension can be asked, false when it does not come forward. */
    async connect() {
      if (this.#port) return true;
      if (performance.now() < this.#silentUntil) return false;
      if (!await this.#known && !this.#greeted) {
        this.askForHello();
        return false;
      }
      this.#introduction ??= this.#awaitIntroduction();
      await this.#introduction;
      return this.connected;
    }

    async #awaitIntroduction() {
      this.askForHello();
      await Promise.race([new Promise(resolve => this.#introduced = resolve), sleep(INTRODUCTION_MS)]);
      this.#introduction = null;
      if (this.#port) return;
      this.#silentUntil = performance.now() + SILENCE_MS;
      // Not even a content script: the extension has been removed, and this worker only costs time.
      if (!this.#greeted) this.#leave();
    }

    #leave() {
      if (!composed) return self.registration.unregister();
      this.#known = caches.delete(KNOWN).then(() => false, () => false);
    }

    /** For a worker that needs no port: without an extension it only costs time. */
    leaveUnlessGreeted() {
      if (this.#greeted) return;
      this.#leaving ??= sleep(SILENCE_MS).then(() => this.#greeted || self.registration.unregister());
      this.askForHello();
    }

    askForHello() {
      this.#channel.postMessage('need');
    }

    /** Sends a want; `exchange.received(message)` gets what comes back. Null when the port has been lost meanwhile. */
    open(exchange, want) {
      const id = this.#nextId++;
      const port = this.#port;
      if (!port) return null;
      this.#exchanges.set(id, exchange);
      port.postMessage({ ...want, type: 'want', id });
      return {
        credit: count => port.postMessage({ type: 'credit', id, count }),
        cancel: late => {
          if (this.#exchanges.delete(id)) port.postMessage({ type: 'cancel', id, late });
        },
        done: () => this.#exchanges.delete(id),
        // A port does not say when its other end is gone; an unanswered request does.
        dead: () => {
          this.#exchanges.delete(id);
          if (this.#port === port) this.#port = null;
        },
      };
    }

    /** True when the extension said anything a moment ago: it is busy then, not gone. */
    heardWithin(ms) {
      return performance.now() - this.#heardAt < ms;
    }

    /** Tells the extension what it could not see: bytes that came from the origin. */
    took(page, bytes) {
      this.#port?.postMessage({ type: 'took', page, bytes });
    }

    #received(port, message) {
      if (port === this.#port) this.#heardAt = performance.now();
      if (message.type === 'state') return this.#state(port, message.on);
      if (port === this.#port) this.#exchanges.get(message.id)?.received(message);
    }

    #state(port, on) {
      if (this.#candidates.delete(port) && !this.#port) {
        this.#port = port;
        this.#introduced?.();
      }
      if (port === this.#port) this.on = on;
    }
  }

  const transport = new Transport();

  // --- Which page asks. Its content script tells a secret name, by which the extension knows the tab and so the release the
  // page belongs to. Workers and frames have no content script of ours; the extension finds out by itself or declines.

  const pages = new Map();
  const pageWaiters = new Map();
  // Pages that were open before this worker controlled them: their media elements may hold parts of files from the site itself.
  const takenOver = new Set();

  function pageSaidHello(clientId, page, wasOpen) {
    pages.set(clientId, page);
    if (wasOpen) takenOver.add(clientId);
    if (pages.size > MAX_PAGES) {
      const [oldest] = pages.keys();
      pages.delete(oldest);
      takenOver.delete(oldest);
    }
    pageWaiters.get(clientId)?.resolve();
    pageWaiters.delete(clientId);
  }

  /** The page's name; '' for a worker or frame, null for a page that does not say. */
  async function pageOf(clientId) {
    if (pages.has(clientId)) return pages.get(clientId);
    const client = clientId ? await self.clients.get(clientId) : null;
    if (client?.frameType !== 'top-level') return '';
    if (!pageWaiters.has(clientId)) {
      pageWaiters.set(clientId, withResolve());
      transport.askForHello();
    }
    await Promise.race([pageWaiters.get(clientId)?.promise, sleep(PAGE_MS)]);
    return pages.get(clientId) ?? null;
  }

  self.addEventListener('message', event => {
    const message = event.data;
    if (!message || typeof message !== 'object' || typeof message.fringe !== 'string') return;
    event.stopImmediatePropagation();
    if (message.fringe === 'claim') return event.waitUntil(self.clients.claim());
    if (event.ports.length !== 1) return;
    const [port] = event.ports;
    if (message.fringe === 'port') return transport.introduce(port);
    if (message.fringe !== 'hello' || typeof message.page !== 'string' || !event.source?.id) return;
    transport.greeted();
    pageSaidHello(event.source.id, message.page.slice(0, 64), message.takenOver === true);
    port.postMessage({ need: !transport.connected, seq: CONFIG.seq });
  });

  // --- One request on its way through the extension.

  class Exchange {
    #link;
    #request;
    #page;
    #settle = withResolve();
    #timer = 0;
    #head = null;
    #stream = null;
    #received = 0;
    #owed = 0;
    #over = false;
    #wanted = withResolve();

    constructor(request, want) {
      this.#request = request;
      this.#page = want.page;
      this.#link = transport.open(this, want);
      if (!this.#link) {
        this.#over = true;
        this.#settle.reject('no-ack');
        return;
      }
      this.#awaitAck();
      request.signal.addEventListener('abort', () => this.#broken('aborted'));
    }

    /** The response; rejects with the reason when the origin has to answer, "no-ack" when nobody listens at the port. */
    get response() {
      return this.#settle.promise;
    }

    received(message) {
      if (this.#over) return;
      if (message.type === 'ack') this.#arm(TURN_MS, 'slow');
      else if (message.type === 'begin') this.#arm(FIRST_BYTE_MS, 'slow');
      else if (message.type === 'head') this.#begin(message);
      else if (message.type === 'data') this.#data(message);
      else this.#broken(message.reason);
    }

    #begin(head) {
      this.#head = head;
      const init = { status: head.partial ? 206 : 200, headers: responseHeaders(head) };
      if (head.bytes) {
        this.#finish();
        return this.#settle.resolve(new Response(head.bytes, init));
      }
      const body = new ReadableStream({
        start: controller => {
          this.#stream = controller;
        },
        pull: () => this.#pulled(),
        cancel: () => this.#stop(),
      }, { highWaterMark: BUFFERED_CHUNKS });
      this.#arm(STALL_MS, 'stalled');
      this.#settle.resolve(new Response(body, init));
    }

    #data({ bytes, last }) {
      this.#received += bytes.byteLength;
      this.#owed++;
      this.#stream.enqueue(new Uint8Array(bytes));
      if (last) {
        this.#finish();
        return this.#stream.close();
      }
      this.#payCredits();
    }

    #pulled() {
      this.#wanted.resolve();
      this.#wanted = withResolve();
      if (!this.#over) this.#payCredits();
    }

    /** Asks for more only while the page reads; nobody is blamed for bytes that nobody wants yet. */
    #payCredits() {
      if (this.#stream.desiredSize <= 0) return clearTimeout(this.#timer);
      if (this.#owed) this.#link.credit(this.#owed);
      this.#owed = 0;
      this.#arm(STALL_MS, 'stalled');
    }

    #awaitAck() {
      this.#timer = setTimeout(() => (transport.heardWithin(ACK_MS) ? this.#awaitAck() : this.#broken('no-ack')), ACK_MS);
    }

    #arm(ms, reason) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#broken(reason), ms);
    }

    #finish() {
      this.#over = true;
      clearTimeout(this.#timer);
      this.#link.done();
    }

    #stop() {
      this.#over = true;
      clearTimeout(this.#timer);
      this.#link.cancel(false);
    }

    #broken(reason) {
      if (this.#over) return;
      this.#over = true;
      clearTimeout(this.#timer);
      if (reason === 'no-ack') this.#link.dead();
      else this.#link.cancel(reason === 'slow');
      if (!this.#head) return this.#settle.reject(reason);
      this.#continueFromOrigin().catch(error => this.#stream.error(error));
    }

    /** The rest of a response that has begun, from the site itself. */
    async #continueFromOrigin() {
      const { start, length, total } = this.#head;
      const first = start + this.#received;
      const last = start + length - 1;
      const response = await fetch(this.#request.url, {
        headers: { range: `bytes=${first}-${last}` }, credentials: this.#request.credentials, cache: 'no-store', signal: this.#request.signal,
      });
      const skip = bytesBefore(response, first, last, total);
      if (skip === null) throw new TypeError('the site no longer has this file');
      const bytes = await this.#copy(response.body.getReader(), skip, last - first + 1);
      transport.took(this.#page, bytes);
      this.#stream.close();
    }

    /** Copies `length` bytes after the first `skip`, no faster than the page reads. */
    async #copy(reader, skip, length) {
      let left = length;
      while (left > 0) {
        const { done, value } = await reader.read();
        if (done) throw new TypeError('the site sent too little');
        const part = value.subarray(Math.min(skip, value.length)).subarray(0, left);
        skip -= Math.min(skip, value.length);
        left -= part.length;
        if (part.length) this.#stream.enqueue(part);
        if (this.#stream.desiredSize <= 0) await this.#wanted.promise;
      }
      reader.cancel().catch(() => {});
      return length;
    }
  }

  function responseHeaders({ contentType, length, start, total, partial, etag, headers }) {
    const all = new Headers(headers);
    all.set('content-type', contentType);
    all.set('content-length', length);
    all.set('accept-ranges', 'bytes');
    if (etag && !partial) all.set('etag', etag);
    if (partial) all.set('content-range', `bytes ${start}-${start + length - 1}/${total}`);
    return all;
  }

  /** How many bytes of the body come before byte `first` of the file; null when the body is not of this file. */
  function bytesBefore(response, first, last, total) {
    if (response.status === 206) return response.headers.get('content-range') === `bytes ${first}-${last}/${total}` ? 0 : null;
    // A server that knows no ranges sends the whole file. With a content encoding its length says nothing.
    const whole = response.headers.has('content-encoding') || response.headers.get('content-length') === String(total);
    return response.status === 200 && whole ? first : null;
  }

  // --- Requests.

  self.addEventListener('fetch', event => {
    if (viaFilter) return passOn(event);
    if (transport.on && isShared(event.request)) event.respondWith(serve(event));
  });

  /** Only fetch and XHR, which have no destination, can see a status, and JSON modules look at it. */
  function passOn(event) {
    if (!['', 'json'].includes(event.request.destination) || !isShared(event.request)) return;
    transport.leaveUnlessGreeted();
    event.respondWith(whole(event.request));
  }

  /**
   * The extension can fill in the body of a 206 only, and change its Content-Range but not its Content-Length. A page that asked
   * for no range has to see a 200.
   */
  async function whole(request) {
    const response = await fetch(request);
    const range = /^bytes (\d+)-(\d+)\//.exec(response.headers.get('content-range'));
    if (response.status !== 206 || !range) return response;
    const headers = new Headers(response.headers);
    headers.set('content-length', range[2] - range[1] + 1);
    if (request.headers.has('range')) return new Response(response.body, { status: 206, headers });
    headers.delete('content-range');
    return new Response(response.body, { headers });
  }

  function isShared(request) {
    const url = new URL(request.url);
    if (request.method !== 'GET' || url.origin !== self.location.origin || request.destination === 'document') return false;
    // Whoever asks so wants nothing from afar.
    if (request.cache === 'only-if-cached') return false;
    url.hash = '';
    return !url.href.includes('?') && CONFIG.bases.some(base => url.pathname.startsWith(base));
  }

  async function serve({ request, clientId }) {
    const naming = pageOf(clientId);
    // Where there is no extension, no page will ever say which one it is.
    const page = await transport.connect() ? await naming : null;
    const leaveAlone = takenOver.has(clientId) && MEDIA.includes(request.destination);
    if (page !== null && !leaveAlone) {
      const want = { path: new URL(request.url).pathname, range: request.headers.get('range') ?? '', page };
      const response = await ask(request, want) ?? await askAgain(request, want);
      if (response) return response;
    }
    return fromOrigin(request, page, leaveAlone);
  }

  /** A response, false for "go to the origin", null when the port was dead. */
  function ask(request, want) {
    return new Exchange(request, want).response.catch(reason => (reason === 'no-ack' ? null : false));
  }

  /** The extension's worker may have been restarted: a new introduction, once. */
  async function askAgain(request, want) {
    return await transport.connect() && ask(request, want);
  }

  async function fromOrigin(request, page, asItIs) {
    const response = await fetch(request);
    const length = Number(response.headers.get('content-length'));
    if (Number.isSafeInteger(length)) transport.took(page ?? '', length);
    return response.status === 206 && !asItIs ? asPart(response) : response;
  }

  /** A media element refuses parts of a file that look as if they came from two places: this one looks like the extension's. */
  function asPart(response) {
    const headers = new Headers(response.headers);
    for (const name of VALIDATORS) headers.delete(name);
    return new Response(response.body, { status: 206, headers });
  }

  // --- Life of the worker.

  if (!composed) {
    self.addEventListener('install', event => {
      self.skipWaiting();
      event.waitUntil(routePast(event).catch(() => {}));
    });
    self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));
  }

  /** Requests for anything but shared files pass this worker by without waking it. */
  async function routePast(event) {
    const shared = CONFIG.bases.map(base => ({ urlPattern: new URLPattern({ pathname: `${base}*`, baseURL: self.location.origin }) }));
    await event.addRoutes?.({ condition: { not: { or: shared } }, source: 'network' });
  }

  function sleep(ms) {
    return new Promise(resolve => {
      setTimeout(resolve, ms);
    });
  }

  function withResolve() {
    const all = {};
    all.promise = new Promise((resolve, reject) => Object.assign(all, { resolve, reject }));
    return all;
  }
})();
