import { double } from '../shared/double.js';

self.onmessage = async event => {
  const icon = await fetch(new URL('../../images/icon.svg', import.meta.url));
  self.postMessage({ double: double(event.data), fetched: (await icon.arrayBuffer()).byteLength });
};
