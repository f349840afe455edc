// Every kind of request that a page can make for a shared file. Each case is run by the page itself, once without the extension and
// once with it: what the page sees must be the same, byte for byte and error for error.
//
//   id, title   the folder of its files, and its line in extension/README.md
//   files       of FILES (coverage-site.js), in its folder
//   page        of PAGES; "plain" when not given
//   prepared    what `run` gets as its third: "integrity", of each file by the ending of its name
//   run         in the page: (folder, cov) => what it saw, as JSON
//   site        why the site answers, where the table says that it does: {chromium, firefox}
//   differs     what the page may see otherwise, and why: {chromium, firefox}; that it does differ is tested, too

import { MORE_CASES } from './coverage-more.js';

/** In the page, as `cov`. */
export function kit() {
  const waitFor = async condition => {
    for (let turn = 0; turn < 500; turn++) {
      const value = condition();
      if (value) return value;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    return 'never';
  };
  const digest = async bytes => {
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return [...hash.subarray(0, 8)].map(byte => byte.toString(16).padStart(2, '0')).join('');
  };
  const element = (tag, attributes = {}, parent = document.head) => new Promise(resolve => {
    const made = document.createElement(tag);
    made.onload = made.onerror = ({ type }) => resolve([type, made]);
    Object.assign(made, attributes);
    parent.append(made);
  });
  const type = async promise => (await promise)[0];
  const error = ({ name, message }) => [name, message];
  /** A promise's value or its error. */
  const settle = promise => promise.then(value => ['ok', value], reason => ['error', ...error(reason)]);
  const describe = async response => {
    const bytes = await response.arrayBuffer();
    const { status, ok, redirected, type: kind, url } = response;
    return { status, ok, redirected, kind, path: url && new URL(url).pathname, type: response.headers.get('content-type'),
      length: response.headers.get('content-length'), range: response.headers.get('content-range'), bytes: bytes.byteLength, hash: await digest(bytes) };
  };
  const get = (url, init) => fetch(url, init).then(describe);
  const message = (target, post = 1) => new Promise((resolve, reject) => {
    target.onmessage = ({ data }) => resolve(data);
    target.onerror = event => reject(event);
    target.postMessage(post);
  });
  const pixels = image => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    return digest(context.getImageData(0, 0, canvas.width, canvas.height).data);
  };
  const image = async (url, attributes = {}) => {
    const made = Object.assign(new Image(), attributes);
    await new Promise(resolve => {
      made.onload = made.onerror = resolve;
      if (url) made.src = url;
    });
    return made;
  };
  const script = async (folder, attributes = {}) => [await type(element('script', { src: `${folder}a.js`, ...attributes })), window.ran];
  const media = async (tag, url) => {
    const player = document.createElement(tag);
    player.preload = 'auto';
    player.src = url;
    await new Promise((resolve, reject) => {
      player.oncanplaythrough = resolve;
      player.onerror = () => reject(player.error);
    });
    const { duration } = player;
    player.currentTime = duration * 0.9;
    await new Promise(resolve => { player.onseeked = resolve; });
    return [Math.round(duration * 10), Math.round(player.currentTime * 10), player.error];
  };
  /** Waits until a service worker of the site's own controls this page. */
  const ownWorker = async (url, scope) => {
    await navigator.serviceWorker.register(url, { scope });
    return waitFor(() => navigator.serviceWorker.controller?.scriptURL.endsWith(url));
  };
  window.cov = { waitFor, digest, element, type, error, settle, describe, get, message, pixels, image, script, media, ownWorker };
}

const importsInWorkers = 'Firefox refuses a filter for what a worker imports';
const unheard = 'Chromium tells no service worker of it';
const otherHeaders = 'differs: those of the release (type, length, its own headers), not of the server';
const noTransfer = 'differs: in Chromium nothing was transferred';
const smallTransfer = 'differs: in Firefox the small answer shows';
const embedderPolicy = 'a replaced worker script crashes the process of a page with an embedder policy';

export const CASES = [
  { id: 'img', title: '`<img>`, decoded', files: ['a.png'],
    run: async (folder, cov) => cov.image(`${folder}a.png`).then(async image => [image.naturalWidth, await cov.pixels(image)]) },
  { id: 'srcset', title: '`srcset`, `<picture>`', files: ['a.png', 'b.png'],
    run: async (folder, cov) => {
      const plain = await cov.image('', { srcset: `${folder}a.png 1x` });
      document.body.insertAdjacentHTML('beforeend', `<picture><source srcset="${folder}b.png"><img id="picked"></picture>`);
      const picked = document.getElementById('picked');
      picked.src = `${folder}never.png`;
      await cov.waitFor(() => picked.complete && picked.naturalWidth);
      return [plain.naturalWidth, new URL(picked.currentSrc).pathname, picked.naturalWidth];
    } },
  { id: 'canvas', title: 'canvas readback (`toDataURL`, `getImageData`)', files: ['a.png'],
    run: async (folder, cov) => {
      const canvas = document.createElement('canvas');
      const image = await cov.image(`${folder}a.png`);
      canvas.getContext('2d').drawImage(image, 0, 0);
      const url = canvas.toDataURL(); // its exact text is nobody's to know: browsers add noise against fingerprinting
      return [url.slice(0, 22), url.length > 2000, await cov.pixels(image)];
    } },
  { id: 'webgl', title: 'WebGL texture and readback', files: ['a.png'],
    run: async (folder, cov) => {
      const gl = document.createElement('canvas').getContext('webgl');
      if (!gl) return 'this browser has no WebGL here';
      const image = await cov.image(`${folder}a.png`);
      const pixels = new Uint8Array(64 * 64 * 4);
      gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, image);
      gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, gl.getParameter(gl.TEXTURE_BINDING_2D), 0);
      gl.readPixels(0, 0, 64, 64, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
      return [gl.getError(), await cov.digest(pixels)];
    } },
  { id: 'svg', title: 'SVG: `<img>`, `<use>` of a file', files: ['a.svg'],
    run: async (folder, cov) => {
      const url = `${folder}a.svg`;
      const image = await cov.image(url);
      document.body.insertAdjacentHTML('beforeend', `<svg><use id="used" href="${url}#s"/></svg>`);
      return [image.naturalWidth, await cov.waitFor(() => document.getElementById('used').getBBox().width)];
    } },
  { id: 'object', title: '`<object>`, `<embed>`', files: ['a.svg'], site: { chromium: unheard, firefox: 'in Firefox it is a document' },
    run: async (folder, cov) => {
      const [type, object] = await cov.element('object', { data: `${folder}a.svg`, type: 'image/svg+xml' }, document.body);
      return [type, object.contentDocument?.documentElement.tagName, await cov.type(cov.element('embed', { src: `${folder}a.svg` }, document.body))];
    } },
  { id: 'css-images', title: 'CSS `background-image`, `mask-image`, `content`', files: ['a.png', 'b.png', 'a.svg'],
    run: async (folder, cov) => {
      document.body.insertAdjacentHTML('beforeend', `<style>#content::before { content: url(${folder}a.png) }
        #back { width: 9px; height: 9px; background-image: url(${folder}b.png); mask-image: url(${folder}a.svg) }</style>
        <span id="content" style="display: inline-block"></span><div id="back"></div>`);
      const seen = name => performance.getEntriesByType('resource').some(each => each.name.endsWith(`${folder}${name}`));
      const width = await cov.waitFor(() => document.getElementById('content').offsetWidth);
      return [width, await cov.waitFor(() => seen('b.png') && seen('a.svg'))];
    } },
  { id: 'script', title: '`<script src>`', files: ['a.js'], run: (folder, cov) => cov.script(folder) },
  { id: 'script-cors', title: '`<script crossorigin>`', files: ['a.js'], run: (folder, cov) => cov.script(folder, { crossOrigin: 'anonymous' }) },
  { id: 'sri', title: '`integrity` (SRI), right', files: ['a.js', 'a.css', 'b.css'],
    prepared: 'integrity',
    run: async (folder, cov, { js, css }) => [await cov.type(cov.element('script', { src: `${folder}a.js`, integrity: js })),
      await cov.type(cov.element('link', { rel: 'stylesheet', href: `${folder}a.css`, integrity: css }))] },
  { id: 'sri-wrong', title: '`integrity`, wrong', files: ['a.js'],
    run: async (folder, cov) => [await cov.type(cov.element('script', { src: `${folder}a.js`, integrity: `sha256-${btoa('x'.repeat(32))}` })), window.ran] },
  { id: 'errors', title: 'error of a script: message, file, line', files: ['throws.js'],
    run: async (folder, cov) => {
      const seen = new Promise(resolve => {
        window.onerror = (message, url, line, column, error) => {
          resolve([message, new URL(url).pathname, line, column, error instanceof TypeError, error.stack.includes('throws.js')]);
          return true;
        };
      });
      await cov.element('script', { src: `${folder}throws.js` });
      return seen;
    } },
  { id: 'module', title: '`<script type=module>`, static imports', files: ['a.mjs', 'b.mjs'],
    run: async (folder, cov) => [await cov.type(cov.element('script', { type: 'module', src: `${folder}a.mjs` })), window.module] },
  { id: 'import', title: '`import()`, `import.meta.url`', files: ['a.mjs', 'b.mjs'],
    run: async (folder, cov) => [{ ...await import(`${folder}a.mjs`) }, await cov.settle(import(`${folder}never.mjs`).then(() => {}))] },
  { id: 'css', title: 'stylesheet, `@import`, relative URLs, `cssRules`', files: ['a.css', 'b.css', 'a.png'],
    run: async (folder, cov) => {
      const type = await cov.type(cov.element('link', { rel: 'stylesheet', href: `${folder}a.css` }));
      const made = document.body.appendChild(Object.assign(document.createElement('p'), { className: 'covered', textContent: 'x' }));
      const { color, marginLeft, backgroundImage } = getComputedStyle(made);
      const sheet = [...document.styleSheets].find(each => each.href?.endsWith(`${folder}a.css`));
      const loaded = await cov.waitFor(() => performance.getEntriesByType('resource').some(each => each.name.endsWith(`${folder}a.png`)));
      return [type, color, marginLeft, backgroundImage.replace(location.origin, ''), [...sheet.cssRules].map(rule => rule.cssText.replace(location.origin, '')),
        sheet.cssRules[0].styleSheet.cssRules.length, loaded];
    } },
  { id: 'fontface', title: '`FontFace`', files: ['a.woff2'],
    run: async (folder, cov) => {
      const face = new FontFace('Covered', `url(${folder}a.woff2)`);
      return [await cov.settle(face.load().then(() => face.status))];
    } },
  { id: 'font-face', title: '`@font-face`', files: ['a.woff2'],
    run: async folder => {
      document.head.insertAdjacentHTML('beforeend', `<style>@font-face { font-family: Ruled; src: url(${folder}a.woff2) }</style>`);
      return (await document.fonts.load('20px Ruled')).map(({ family, status }) => [family, status]);
    } },
  { id: 'fetch', title: '`fetch`: modes, cache modes, headers, clone', files: ['a.txt'],
    run: async (folder, cov) => {
      const url = `${folder}a.txt`;
      const seen = [];
      for (const init of [{}, { mode: 'cors' }, { mode: 'same-origin' }, { credentials: 'omit' }, { cache: 'no-store' }, { cache: 'reload' },
        { headers: { 'X-Of-The-Page': '1' } }, { referrerPolicy: 'no-referrer' }, { priority: 'low' }]) seen.push(await cov.get(url, init));
      const response = await fetch(url);
      const copy = response.clone();
      return [seen, await response.text() === await copy.text(), response.bodyUsed];
    } },
  { id: 'no-cors', title: '`fetch` with `no-cors`', files: ['a.txt'], run: (folder, cov) => cov.get(`${folder}a.txt`, { mode: 'no-cors' }) },
  { id: 'fetch-integrity', title: '`fetch` with `integrity`, right and wrong', files: ['a.txt'],
    prepared: 'integrity',
    run: async (folder, cov, { txt }) => [await cov.get(`${folder}a.txt`, { integrity: txt }),
      (await cov.settle(fetch(`${folder}a.txt`, { integrity: `sha256-${btoa('x'.repeat(32))}` }))).slice(0, 2)] },
  { id: 'redirect', title: "`redirect: 'error'`, `'manual'`", files: ['a.txt'],
    run: async (folder, cov) => [await cov.get(`${folder}a.txt`, { redirect: 'error' }), await cov.get(`${folder}a.txt`, { redirect: 'manual' })] },
  { id: 'abort', title: '`AbortSignal`, before and in the middle', files: ['big.bin'],
    run: async (folder, cov) => {
      const before = await cov.settle(fetch(`${folder}big.bin`, { signal: AbortSignal.abort() }));
      const controller = new AbortController();
      const reader = (await fetch(`${folder}big.bin`, { signal: controller.signal })).body.getReader();
      await reader.read();
      controller.abort();
      const read = async () => { for (;;) if ((await reader.read()).done) return 'all'; };
      return [before, await cov.settle(read())];
    } },
  { id: 'range', title: '`Range`, one, from the page', files: ['big.bin'],
    run: async (folder, cov) => [await cov.get(`${folder}big.bin`, { headers: { Range: 'bytes=1000000-1500001' } }),
      await cov.get(`${folder}big.bin`, { headers: { Range: 'bytes=2999000-' } })] },
  { id: 'stream', title: 'body as a stream, `Blob`, `createImageBitmap`', files: ['big.bin', 'a.png'],
    run: async (folder, cov) => {
      const reader = (await fetch(`${folder}big.bin`)).body.getReader();
      let sum = 0;
      for (let next; !(next = await reader.read()).done;) sum += next.value.length;
      const blob = await (await fetch(`${folder}a.png`)).blob();
      return [sum, blob.size, blob.type, (await createImageBitmap(blob)).width];
    } },
  { id: 'json', title: '`response.json()`, JSON by XHR', files: ['a.json'],
    run: async folder => [await (await fetch(`${folder}a.json`)).json(), await new Promise(resolve => {
      const request = new XMLHttpRequest();
      request.responseType = 'json';
      request.onload = () => resolve(request.response);
      request.open('GET', `${folder}a.json`);
      request.send();
    })] },
  { id: 'xhr', title: '`XMLHttpRequest`, progress, response types', files: ['big.bin', 'a.svg', 'a.txt'],
    run: async (folder, cov) => {
      const ask = (name, type) => new Promise(resolve => {
        const request = new XMLHttpRequest();
        const seen = new Set();
        for (const event of ['loadstart', 'progress', 'load', 'loadend', 'error']) {
          request.addEventListener(event, ({ lengthComputable, total }) => seen.add(`${event} ${lengthComputable} ${total}`));
        }
        request.responseType = type;
        request.open('GET', `${folder}${name}`);
        request.addEventListener('loadend', async () => {
          const { response, status, statusText } = request;
          const bytes = type === 'arraybuffer' ? await cov.digest(response) : type === 'blob' ? [response.size, response.type] : type === 'document'
            ? response.documentElement.tagName : response;
          resolve([status, statusText.replace('OK', ''), new URL(request.responseURL).pathname, request.getResponseHeader('content-type'), [...seen].sort(), bytes]);
        });
        request.send();
      });
      return [await ask('big.bin', 'arraybuffer'), await ask('a.svg', 'document'), await ask('a.svg', 'blob'), await ask('a.txt', 'text')];
    } },
  { id: 'sync-xhr', title: 'synchronous XHR', files: ['a.txt'], site: { chromium: unheard },
    run: (folder, cov) => {
      const request = new XMLHttpRequest();
      request.open('GET', `${folder}a.txt`, false);
      request.send();
      return cov.digest(new TextEncoder().encode(request.responseText)).then(hash => [request.status, hash]);
    } },
  { id: 'audio', title: '`<audio>`, seeking', files: ['a.wav'], run: (folder, cov) => cov.media('audio', `${folder}a.wav`) },
  { id: 'video', title: '`<video>`, seeking', files: ['a.wav'], run: (folder, cov) => cov.media('video', `${folder}a.wav`) },
  { id: 'webaudio', title: '`decodeAudioData`', files: ['a.wav'],
    run: async folder => {
      const bytes = await (await fetch(`${folder}a.wav`)).arrayBuffer();
      const { length, numberOfChannels } = await new OfflineAudioContext(1, 1, 44100).decodeAudioData(bytes);
      return [length, numberOfChannels];
    } },
  { id: 'worker', title: '`Worker`, `fetch` in it', files: ['worker.js', 'a.txt'],
    run: async (folder, cov) => cov.message(new Worker(`${folder}worker.js`)) },
  { id: 'module-worker', title: 'module `Worker`, its imports', files: ['module-worker.js', 'b.mjs'], site: { firefox: importsInWorkers },
    run: async (folder, cov) => cov.message(new Worker(`${folder}module-worker.js`, { type: 'module' })) },
  { id: 'shared-worker', title: '`SharedWorker`', files: ['shared-worker.js'],
    run: folder => new Promise((resolve, reject) => {
      const worker = new SharedWorker(`${folder}shared-worker.js`);
      worker.onerror = reject;
      worker.port.onmessage = ({ data }) => resolve(data);
    }) },
  { id: 'import-scripts', title: '`importScripts`', files: ['imports.js', 'lib.js'], site: { firefox: importsInWorkers },
    run: async (folder, cov) => cov.message(new Worker(`${folder}imports.js`)) },
  { id: 'wasm', title: 'WebAssembly, streaming', files: ['a.wasm'],
    run: async folder => {
      const { instance } = await WebAssembly.instantiateStreaming(fetch(`${folder}a.wasm`));
      return [instance.exports.answer(), (await WebAssembly.compileStreaming(fetch(`${folder}a.wasm`))) instanceof WebAssembly.Module];
    } },
  { id: 'preload', title: '`preload`, then used', files: ['a.js', 'a.woff2'],
    run: async (folder, cov) => [await cov.type(cov.element('link', { rel: 'preload', as: 'script', href: `${folder}a.js` })),
      await cov.type(cov.element('link', { rel: 'preload', as: 'font', crossOrigin: 'anonymous', href: `${folder}a.woff2` })),
      await cov.type(cov.element('script', { src: `${folder}a.js` })), (await new FontFace('Early', `url(${folder}a.woff2)`).load()).status] },
  { id: 'modulepreload', title: '`modulepreload`, then imported', files: ['a.mjs', 'b.mjs'],
    run: async (folder, cov) => [await cov.type(cov.element('link', { rel: 'modulepreload', href: `${folder}a.mjs` })), (await import(`${folder}a.mjs`)).sum] },
  { id: 'frame', title: 'in a frame of the same site', files: ['a.png'],
    run: (folder, cov) => new Promise(resolve => {
      window.addEventListener('message', ({ data }) => resolve(data), { once: true });
      cov.element('iframe', { src: `/frame.html?${encodeURIComponent(`${folder}a.png`)}` }, document.body);
    }) },
  { id: 'srcdoc', title: 'in a `srcdoc` frame', files: ['a.png'],
    run: async (folder, cov) => {
      const [, frame] = await cov.element('iframe', { srcdoc: `<img src="${folder}a.png">` }, document.body);
      return [frame.contentDocument.images[0].naturalWidth];
    } },
  { id: 'csp-self', title: "Content Security Policy `'self'`", page: 'csp', files: ['a.png', 'a.js', 'a.txt', 'worker.js'],
    run: async (folder, cov) => [(await cov.image(`${folder}a.png`)).naturalWidth, await cov.type(cov.element('script', { src: `${folder}a.js` })), window.ran,
      await cov.get(`${folder}a.txt`), (await cov.message(new Worker(`${folder}worker.js`)))[0]] },
  { id: 'csp-strict', title: "Content Security Policy `'strict-dynamic'`", page: 'strict', files: ['a.js', 'a.mjs', 'b.mjs'],
    run: async (folder, cov) => [await cov.type(cov.element('script', { src: `${folder}a.js`, nonce: 'covered' })), window.ran,
      await cov.settle(import(`${folder}a.mjs`).then(({ sum }) => sum))] },
  { id: 'trusted', title: 'Trusted Types', page: 'trusted', files: ['a.js'],
    run: async (folder, cov) => {
      if (!window.trustedTypes) return ['this browser has none', ...await Promise.all([cov.type(cov.element('script', { src: `${folder}a.js` })), window.ran])];
      let plain = 'taken';
      try {
        document.createElement('script').src = `${folder}a.js`;
      } catch (error) {
        plain = error.name;
      }
      const policy = trustedTypes.createPolicy('covered', { createScriptURL: url => url });
      return [plain, await cov.type(cov.element('script', { src: policy.createScriptURL(`${folder}a.js`) })), window.ran];
    } },
  { id: 'isolated', title: 'cross-origin isolated page (COEP `require-corp`)', page: 'isolated', files: ['a.png', 'a.js', 'a.txt', 'a.wasm'],
    run: async (folder, cov) => [crossOriginIsolated, (await cov.image(`${folder}a.png`)).naturalWidth, await cov.type(cov.element('script', { src: `${folder}a.js` })),
      await cov.get(`${folder}a.txt`), (await WebAssembly.instantiateStreaming(fetch(`${folder}a.wasm`))).instance.exports.answer()] },
  { id: 'isolated-worker', title: 'worker of such a page', page: 'isolated', files: ['worker.js', 'a.txt'], site: { firefox: embedderPolicy },
    run: async (folder, cov) => cov.message(new Worker(`${folder}worker.js`)) },
  { id: 'headers', title: 'names of all response headers', files: ['a.txt'],
    differs: { chromium: otherHeaders, firefox: otherHeaders },
    run: async folder => [...(await fetch(`${folder}a.txt`)).headers.keys()].sort() },
  { id: 'timing', title: '`PerformanceResourceTiming`: status and sizes', files: ['a.txt'],
    differs: { chromium: noTransfer, firefox: smallTransfer },
    run: async (folder, cov) => {
      await (await fetch(`${folder}a.txt`)).text();
      const entry = await cov.waitFor(() => performance.getEntriesByType('resource').find(({ name }) => name.endsWith('a.txt')));
      return [entry.responseStatus, entry.encodedBodySize, entry.transferSize > 0];
    } },
  { id: 'query', title: 'a query string', files: ['a.txt'], site: { chromium: 'no file of a release has one', firefox: 'no file of a release has one' },
    run: (folder, cov) => cov.get(`${folder}a.txt?v=2`) },
  { id: 'head', title: 'HEAD', files: ['a.txt'], site: { chromium: 'only GET is taken', firefox: 'only GET is taken' },
    run: (folder, cov) => cov.get(`${folder}a.txt`, { method: 'HEAD' }) },
  { id: 'post', title: 'POST and other methods', files: ['a.txt'], site: { chromium: 'only GET is taken', firefox: 'only GET is taken' },
    run: async (folder, cov) => [(await cov.get(`${folder}a.txt`, { method: 'POST', body: 'x' })).status, (await cov.get(`${folder}a.txt`, { method: 'PUT' })).status] },
  { id: 'ranges', title: 'several ranges, a suffix range', files: ['big.bin'],
    site: { chromium: 'rare, and not worth code that can be wrong', firefox: 'rare, and not worth code that can be wrong' },
    run: async (folder, cov) => [(await cov.get(`${folder}big.bin`, { headers: { Range: 'bytes=0-1,5-6' } })).status,
      await cov.get(`${folder}big.bin`, { headers: { Range: 'bytes=-5000' } })] },
  { id: 'condition', title: '`If-None-Match` and other conditions', files: ['a.txt'], site: { firefox: 'the site knows its own ETags' },
    run: (folder, cov) => cov.get(`${folder}a.txt`, { headers: { 'If-None-Match': '"none"' } }) },
  ...MORE_CASES,
];
