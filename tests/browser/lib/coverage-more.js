// Further cases of coverage-cases.js: what uses a file in roundabout ways, whose order of events matters, and what must be left alone.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ownWorkerAnswers = 'Chromium asks no second service worker';
const notCached = "differs: what came through the host is not in the browser's cache";
const seesWorker = "differs: the page sees Fringe's";
const askedWhole = "Firefox gives the host's bytes, but has asked the site for the whole, and cuts it off";
const notListed = 'not in the release';

export const MORE_CASES = [
  { id: 'order', title: 'order of scripts: inserted, parser, `defer`, `load`', files: ['first.js', 'second.js', 'third.js'],
    run: async (folder, cov) => {
      window.order = [];
      const tags = ['first', 'second', 'third'];
      await new Promise(resolve => {
        for (const name of tags) {
          const script = Object.assign(document.createElement('script'), { src: `${folder}${name}.js`, async: false });
          script.onload = () => window.order.push(`${name} loaded`) === 6 && resolve();
          document.head.append(script);
        }
      });
      const written = `<script src="${folder}first.js"></script><script>order.push('inline')</script>`;
      const [, frame] = await cov.element('iframe', { srcdoc: `<script>var order = []; onload = () => order.push('load');
        document.onreadystatechange = () => order.push(document.readyState)</script>
        <script defer src="${folder}third.js"></script><script src="${folder}second.js"></script>${written}` }, document.body);
      return [window.order, await cov.waitFor(() => frame.contentWindow.order.includes('load') && frame.contentWindow.order)];
    } },
  { id: 'img-more', title: '`img.decode()`, `loading=lazy`, `<input type=image>`', files: ['a.png', 'b.png'],
    run: async (folder, cov) => {
      const image = Object.assign(new Image(), { src: `${folder}a.png` });
      await image.decode();
      const [type, lazy] = await cov.element('img', { loading: 'lazy', src: `${folder}b.png` }, document.body);
      const [loaded, input] = await cov.element('input', { type: 'image', src: `${folder}a.png` }, document.body);
      return [image.naturalHeight, type, lazy.naturalHeight, loaded, input.offsetWidth];
    } },
  { id: 'image-cors', title: '`crossorigin` on images, both kinds, readback', files: ['a.png', 'b.png'],
    run: async (folder, cov) => [await cov.pixels(await cov.image(`${folder}a.png`, { crossOrigin: 'anonymous' })),
      await cov.pixels(await cov.image(`${folder}b.png`, { crossOrigin: 'use-credentials' }))] },
  { id: 'svg-inside', title: 'SVG `<image>`, `<feImage>`', files: ['a.png', 'b.png'],
    run: async (folder, cov) => {
      document.body.insertAdjacentHTML('beforeend', `<svg width="90" height="90"><filter id="f"><feImage href="${folder}b.png"/></filter>
        <image href="${folder}a.png" width="9" height="9"/><rect width="90" height="90" filter="url(#f)"/></svg>`);
      const seen = name => performance.getEntriesByType('resource').some(each => each.name.endsWith(`${folder}${name}`));
      return [await cov.waitFor(() => seen('a.png')), await cov.waitFor(() => seen('b.png'))];
    } },
  { id: 'css-more', title: 'CSS `border-image`, `list-style-image`, `image-set`, `shape-outside`', files: ['a.png', 'b.png', 'a.svg'],
    run: async (folder, cov) => {
      document.body.insertAdjacentHTML('beforeend', `<style>#b { border: 5px solid; border-image: url(${folder}a.png) 3 }
        #l { list-style-image: image-set(url(${folder}b.png) 1x) } #f { float: left; shape-outside: url(${folder}a.svg); width: 48px; height: 24px }</style>
        <p id="b">x</p><ul><li id="l">x</li></ul><p id="f">x</p>`);
      const seen = name => performance.getEntriesByType('resource').some(each => each.name.endsWith(`${folder}${name}`));
      return [await cov.waitFor(() => seen('a.png')), await cov.waitFor(() => seen('b.png')), await cov.waitFor(() => seen('a.svg'))];
    } },
  { id: 'css-late', title: 'stylesheet: `disabled`, `media`', files: ['a.css', 'b.css', 'a.png'],
    run: async (folder, cov) => {
      const [type, link] = await cov.element('link', { rel: 'stylesheet', href: `${folder}a.css`, media: 'print' });
      const before = getComputedStyle(document.body).marginLeft;
      link.media = 'all';
      document.body.className = 'covered';
      const during = await cov.waitFor(() => getComputedStyle(document.body).marginLeft === '7px');
      link.disabled = true;
      return [type, before, during, getComputedStyle(document.body).marginLeft, link.sheet];
    } },
  { id: 'track', title: '`<track>`: cues of a WebVTT file', files: ['a.vtt', 'a.wav'],
    run: (folder, cov) => new Promise(resolve => {
      const video = Object.assign(document.createElement('video'), { src: `${folder}a.wav`, muted: true });
      const track = Object.assign(document.createElement('track'), { src: `${folder}a.vtt`, default: true });
      track.onload = track.onerror = ({ type }) => resolve([type, [...track.track.cues].map(({ startTime, text }) => [startTime, text])]);
      video.append(track);
      document.body.append(video);
    }) },
  { id: 'poster', title: '`<video poster>`', files: ['a.png'],
    run: async (folder, cov) => {
      document.body.append(Object.assign(document.createElement('video'), { poster: `${folder}a.png` }));
      return cov.waitFor(() => performance.getEntriesByType('resource').filter(each => each.name.endsWith(`${folder}a.png`)).map(each => each.initiatorType)[0]);
    } },
  { id: 'xhr-order', title: '`XMLHttpRequest`: order of events, `abort()`', files: ['big.bin', 'a.txt'],
    run: async folder => {
      const listen = (request, seen) => {
        const note = what => seen.at(-1) !== what && seen.push(what);
        request.onreadystatechange = () => note(`state ${request.readyState}`);
        for (const event of ['loadstart', 'load', 'abort', 'error', 'timeout', 'loadend']) request.addEventListener(event, () => note(event));
        // How many parts a body comes in is up to the network.
        request.onprogress = ({ loaded, total }) => loaded === total && note('progress to the end');
        return new Promise(resolve => {
          request.addEventListener('loadend', () => resolve([seen.filter((what, at) => what !== 'state 3' || seen.indexOf(what) === at), request.status]));
        });
      };
      const ask = (name, act) => {
        const request = new XMLHttpRequest();
        const seen = [];
        const over = listen(request, seen);
        request.open('GET', `${folder}${name}`);
        act?.(request);
        request.send();
        return over;
      };
      return [await ask('a.txt', request => { request.timeout = 80000; }),
        await ask('big.bin', request => request.addEventListener('progress', () => request.abort(), { once: true }))];
    } },
  { id: 'abort-reason', title: 'abort with a reason, while the body is read, and after the end', files: ['big.bin', 'a.txt'],
    run: async (folder, cov) => {
      const controller = new AbortController();
      const response = await fetch(`${folder}big.bin`, { signal: controller.signal });
      const body = cov.settle(response.text());
      controller.abort(new RangeError('enough'));
      const late = new AbortController();
      const done = await fetch(`${folder}a.txt`, { signal: late.signal });
      const { length } = await done.text();
      late.abort();
      const cancelled = await fetch(`${folder}big.bin`);
      await cancelled.body.cancel();
      return [await body, length, cancelled.bodyUsed, await cov.settle(cancelled.text()).then(([kind, name]) => [kind, name])];
    } },
  { id: 'request', title: '`Request` objects: cloned, reused, a fragment, escapes', files: ['a.txt'],
    run: async (folder, cov) => {
      const request = new Request(`${folder}a.txt#part`, { headers: { Accept: 'text/plain' } });
      const hash = new URL((await fetch(request.clone())).url).hash;
      return [hash, await cov.get(request), await cov.get(`${folder}%61.txt`)];
    } },
  { id: 'keepalive', title: '`fetch` with `keepalive`', files: ['a.txt'], site: { firefox: 'asked beside the service worker' },
    run: (folder, cov) => cov.get(`${folder}a.txt`, { keepalive: true }) },
  { id: 'cache-modes', title: '`cache`: `default`, `no-store`, `reload`, `no-cache`, `force-cache`', files: ['a.txt'],
    run: async (folder, cov) => {
      const seen = [];
      for (const cache of ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'default']) seen.push(await cov.get(`${folder}a.txt`, { cache }));
      return seen;
    } },
  { id: 'only-if-cached', title: "`cache: 'only-if-cached'`, not fetched before", files: ['a.txt'],
    run: (folder, cov) => cov.settle(cov.get(`${folder}a.txt`, { cache: 'only-if-cached', mode: 'same-origin' })) },
  { id: 'cached-before', title: 'the same, fetched before', files: ['a.txt'], differs: { chromium: notCached, firefox: notCached },
    run: async (folder, cov) => {
      await cov.get(`${folder}a.txt`);
      return cov.settle(cov.get(`${folder}a.txt`, { cache: 'only-if-cached', mode: 'same-origin' }).then(({ status }) => status));
    } },
  { id: 'cache-api', title: 'Cache API: `add`, `match`', files: ['a.txt', 'a.png'],
    run: async (folder, cov) => {
      const cache = await caches.open('coverage');
      await cache.addAll([`${folder}a.txt`, `${folder}a.png`]);
      const found = [await cov.describe(await cache.match(`${folder}a.txt`)), await cov.describe(await cache.match(`${folder}a.png`))];
      await caches.delete('coverage');
      return found;
    } },
  { id: 'json-module', title: 'JSON module, import map', files: ['a.json', 'b.mjs'],
    run: async (folder, cov) => {
      document.head.append(Object.assign(document.createElement('script'), { type: 'importmap', textContent: JSON.stringify({ imports: { covered: `${folder}b.mjs` } }) }));
      return [await cov.settle(import(`${folder}a.json`, { with: { type: 'json' } }).then(({ default: { words } }) => words.length)),
        (await import('covered')).other];
    } },
  { id: 'module-errors', title: 'module of a wrong type, that throws', files: ['a.txt', 'throws.mjs'],
    run: async (folder, cov) => [await cov.settle(import(`${folder}a.txt`)), await cov.settle(import(`${folder}throws.mjs`))] },
  { id: 'worklet', title: '`AudioWorklet`', files: ['worklet.js'],
    run: async (folder, cov) => {
      const context = new OfflineAudioContext(1, 128, 44100);
      const added = await cov.settle(context.audioWorklet.addModule(`${folder}worklet.js`));
      new AudioWorkletNode(context, 'covered').connect(context.destination);
      return [added, (await context.startRendering()).getChannelData(0)[64]];
    } },
  { id: 'worker-more', title: 'in a worker: XHR, `import()`, a worker of its own', files: ['deep-worker.js', 'worker.js', 'a.txt', 'b.mjs'],
    run: (folder, cov) => cov.message(new Worker(`${folder}deep-worker.js`)) },
  { id: 'blob-worker', title: 'worker of a `blob:` URL that fetches', files: ['a.txt'],
    run: (folder, cov) => {
      const source = `onmessage = async ({ data }) => postMessage(await (await fetch(data)).text())`;
      return cov.message(new Worker(URL.createObjectURL(new Blob([source]))), new URL(`${folder}a.txt`, location).href).then(({ length }) => length);
    } },
  { id: 'worker-error', title: 'error of a worker: message, file, line', files: ['throws.js'],
    run: folder => new Promise(resolve => {
      new Worker(`${folder}throws.js`).onerror = event => {
        event.preventDefault();
        resolve([event.message, new URL(event.filename).pathname, event.lineno, event.colno]);
      };
    }) },
  { id: 'once', title: '`preload` as image and fetch: nothing is fetched twice', files: ['a.png', 'a.json'],
    run: async (folder, cov) => {
      await cov.element('link', { rel: 'preload', as: 'image', href: `${folder}a.png` });
      await cov.element('link', { rel: 'preload', as: 'fetch', crossOrigin: 'anonymous', href: `${folder}a.json` });
      const [{ naturalWidth }, { words }] = [await cov.image(`${folder}a.png`), await (await fetch(`${folder}a.json`)).json()];
      const entries = performance.getEntriesByType('resource').filter(({ name }) => name.includes(folder));
      return [naturalWidth, words.length, entries.map(({ name, initiatorType }) => [name.split('/').at(-1), initiatorType]).sort()];
    } },
  { id: 'frame-file', title: 'a shared HTML file in a frame', files: ['frame.html', 'a.png'], site: { firefox: 'a frame whose body is replaced may never load' },
    run: async (folder, cov) => {
      const [, frame] = await cov.element('iframe', { src: `${folder}frame.html` }, document.body);
      const { title, contentType, characterSet, referrer, images: [image], URL: url } = frame.contentDocument;
      return [title, contentType, characterSet, referrer === location.href, image.naturalWidth, new URL(url).pathname];
    } },
  { id: 'sandbox', title: 'in a sandboxed frame without `allow-same-origin`', files: ['a.png'], site: { chromium: 'Chromium tells no service worker of it', firefox: 'in Firefox its document has no address' },
    run: (folder, cov) => new Promise(resolve => {
      addEventListener('message', ({ data }) => resolve(data), { once: true });
      cov.element('iframe', { sandbox: 'allow-scripts', srcdoc: `<img src="${folder}a.png" onload="parent.postMessage(['load', this.naturalWidth], '*')"
        onerror="parent.postMessage(['error'], '*')">` }, document.body);
    }) },
  { id: 'entries', title: 'resource timing: each file once, its kind, in order of time', files: ['a.png', 'a.js', 'a.txt'],
    run: async (folder, cov) => {
      await cov.image(`${folder}a.png`);
      await cov.element('script', { src: `${folder}a.js` });
      await (await fetch(`${folder}a.txt`)).text();
      const entries = () => performance.getEntriesByType('resource').filter(({ name }) => name.includes(folder));
      await cov.waitFor(() => entries().length >= 3);
      return entries().map(({ name, initiatorType, startTime, fetchStart, responseEnd }) => [name.split('/').at(-1), initiatorType,
        startTime <= fetchStart && fetchStart <= responseEnd]);
    } },
  { id: 'own', title: "page with the site's own service worker", page: 'own', files: ['a.txt', 'a.png'], site: { chromium: ownWorkerAnswers, firefox: askedWhole },
    run: async (folder, cov) => {
      await cov.ownWorker('/own-sw.js', '/own.html');
      const response = await fetch(`${folder}a.txt`);
      return [response.headers.get('x-own'), await response.text().then(({ length }) => length), (await cov.image(`${folder}a.png`)).naturalWidth];
    } },
  { id: 'composed', title: 'the same, composed with ours', page: 'composed', files: ['a.txt', 'a.png'], site: { firefox: askedWhole },
    run: async (folder, cov) => {
      await cov.ownWorker('/composed-sw.js', '/composed.html');
      return [await cov.get(`${folder}a.txt`), (await cov.image(`${folder}a.png`)).naturalWidth, await (await fetch('/of-the-own-worker')).text()];
    } },
  { id: 'registrations', title: '`navigator.serviceWorker.controller`', files: [],
    differs: { chromium: seesWorker, firefox: seesWorker },
    run: () => [navigator.serviceWorker.controller && new URL(navigator.serviceWorker.controller.scriptURL).pathname] },
  { id: 'missing', title: 'a file that is not in the release: 404', files: [], site: { chromium: notListed, firefox: notListed },
    run: async (folder, cov) => [await cov.get(`${folder}missing.txt`), await cov.type(cov.element('img', { src: `${folder}missing.png` })),
      await cov.type(cov.element('script', { src: `${folder}missing.js` })), await cov.type(cov.element('link', { rel: 'stylesheet', href: `${folder}missing.css` }))] },
  { id: 'events', title: '`EventSource`', files: [], site: { chromium: notListed, firefox: notListed },
    run: folder => new Promise(resolve => {
      const source = new EventSource(`${folder}events`);
      const seen = [];
      source.onopen = () => seen.push(`open ${source.readyState}`);
      source.onerror = () => resolve([...seen, 'error']);
      source.onmessage = ({ data, lastEventId }) => {
        seen.push([data, lastEventId]);
        source.close();
        resolve(seen);
      };
    }) },
  { id: 'beacon', title: '`sendBeacon`', files: ['a.txt'], site: { chromium: 'only GET is taken', firefox: 'only GET is taken' },
    run: async (folder, cov) => [navigator.sendBeacon(`${folder}a.txt`, 'x'),
      await cov.waitFor(() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith(`${folder}a.txt`)))] },
];

const line = `/* ${'the quick brown fox '.repeat(200)} */\n`;
const notes = name => () => `${line}window.order.push('${name}');\n`;
const ownWorker = `addEventListener('install', () => skipWaiting());
addEventListener('activate', event => event.waitUntil(clients.claim()));\n`;

/** Their files by name, as FILES of coverage-site.js. */
export const MORE_FILES = {
  'first.js': notes('first'),
  'second.js': notes('second'),
  'third.js': notes('third'),
  'throws.mjs': () => `${line}throw new RangeError('as it should');\n`,
  'a.vtt': () => `WEBVTT\n\nNOTE ${line}\n00:00.000 --> 00:09.000\nfirst cue\n\n00:10.000 --> 00:11.000\nsecond cue\n`,
  'worklet.js': () => `${line}registerProcessor('covered', class extends AudioWorkletProcessor {
    process(inputs, [[channel]]) { channel.fill(0.5); return true; }
  });\n`,
  'deep-worker.js': () => `${line}onmessage = async () => {
    const request = new XMLHttpRequest();
    request.open('GET', 'a.txt', false);
    request.send();
    const { other } = await import('./b.mjs');
    const inner = new Worker('worker.js');
    inner.onmessage = ({ data }) => postMessage([request.status, request.responseText.length, other, data]);
    inner.postMessage(5);
  };\n`,
  'frame.html': () => `<!doctype html><meta charset="utf-8"><!-- ${line} --><title>Rähmchen</title><img src="a.png">\n`,
};

/** What stands beside the pages, outside the shared folder. */
export const BESIDE = {
  'own-sw.js': `${ownWorker}addEventListener('fetch', event => {
    if (!event.request.url.endsWith('/a.txt')) return;
    event.respondWith(fetch(event.request).then(({ body, status }) => new Response(body, { status, headers: { 'x-own': 'yes' } })));
  });\n`,
  'composed-sw.js': `self.FRINGE = { composed: true }; importScripts('/endless-sw.js');\n${ownWorker}addEventListener('fetch', event => {
    if (event.request.url.endsWith('/of-the-own-worker')) event.respondWith(new Response('its own'));
  });\n`,
};

/** A copy of the site's worker that waits for an extension for ever: who has none must not wait at all. */
export function writeEndlessWorker(root) {
  const text = readFileSync(join(root, 'fringe-sw.js'), 'utf8');
  const endless = text.replace(/^( *const (?:INTRODUCTION|PAGE)_MS = )\d+;/gm, '$13600000;');
  if (endless === text) throw new Error('fringe-sw.js has no such limits');
  writeFileSync(join(root, 'endless-sw.js'), endless);
}

/** For the nginx of the site. */
export const MORE_CONF = 'location = /static/events/events { default_type text/event-stream; return 200 "id: 7\\ndata: one\\n\\n"; }';
