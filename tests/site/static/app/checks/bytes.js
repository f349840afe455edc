import { expect } from './expect.js';

const AT_ONCE = 8;

/** Fetches every file of the site and compares it with the hash in files.json, which itself came the same way. */
export async function everyFile() {
  const files = await (await fetch('/static/app/files.json')).json();
  const wrong = [];
  const next = files.values();
  const work = async () => {
    for (const file of next) {
      const bytes = await (await fetch(`/static/${file.path}`)).arrayBuffer();
      if (bytes.byteLength !== file.bytes || (await sha256(bytes)) !== file.sha256) wrong.push(file.path);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  expect(wrong.length === 0, `${wrong.length} of ${files.length} files are wrong: ${wrong.slice(0, 3).join(', ')}`);
}

export async function partOfAFile() {
  const url = '/static/vendor/three/three.core.js';
  const whole = new Uint8Array(await (await fetch(url)).arrayBuffer());
  const reply = await fetch(url, { headers: { Range: 'bytes=100000-100999' } });
  expect(reply.status === 206, `status ${reply.status}`);
  const part = new Uint8Array(await reply.arrayBuffer());
  expect(part.length === 1000 && part.every((byte, i) => byte === whole[100000 + i]), 'the part differs from the whole');
}

export function xmlHttpRequest() {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('GET', '/static/images/icon.svg');
    request.onload = () => (request.responseXML?.documentElement.localName === 'svg' ? resolve() : reject(new Error('no SVG document')));
    request.onerror = () => reject(new Error('failed'));
    request.send();
  });
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, byte => byte.toString(16).padStart(2, '0')).join('');
}
