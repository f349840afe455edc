// The ports of site workers. A port arrives through the bridge frame (bridge.js) with the origin the browser vouches for, and
// only that site's files can be asked for over it. What comes over a port is written by the site, so it is checked and capped.
import { MAX_LIVE_PER_PORT, MAX_PORTS_PER_SITE } from '../common/limits.js';
import { api } from '../common/api.js';
import { isRange } from '../common/gateway.js';
import { isSite } from '../common/paths.js';
import { GatewaySlots } from './gateway-slots.js';
import { Transfer } from './transfer.js';

export class SitePorts {
  #parts;
  #bySite = new Map();

  /** `isOn(site)` says whether that site's files are carried at this moment. */
  constructor(parts) {
    this.#parts = { ...parts, slots: new GatewaySlots(parts.assets) };
    self.addEventListener('message', event => this.#introduced(event));
  }

  /** Tells every worker of the site whether to ask at all. */
  tell(site, on) {
    for (const port of this.#bySite.get(site) ?? []) port.tell(on);
  }

  #introduced(event) {
    const { source, data, ports } = event;
    if (!source?.url || new URL(source.url).href.split('#')[0] !== api.runtime.getURL('chromium/bridge.html')) return;
    if (data?.fringe !== 'port' || !isSite(data.site) || ports.length !== 1) return;
    this.#add(data.site, new SitePort(ports[0], data.site, this.#parts));
  }

  async #add(site, port) {
    const all = this.#bySite.get(site) ?? [];
    all.push(port);
    // A worker that was restarted comes with a new port and never says goodbye to the old one.
    if (all.length > MAX_PORTS_PER_SITE) all.shift().close();
    this.#bySite.set(site, all);
    await this.#parts.sites.restored;
    port.tell(this.#parts.isOn(site));
  }
}

class SitePort {
  #port;
  #site;
  #sites;
  #assets;
  #slots;
  #live = new Map();

  constructor(port, site, { sites, assets, slots }) {
    this.#port = port;
    this.#site = site;
    this.#sites = sites;
    this.#assets = assets;
    this.#slots = slots;
    port.onmessage = event => this.#received(event.data);
  }

  tell(on) {
    this.#port.postMessage({ type: 'state', on });
  }

  close() {
    for (const transfer of this.#live.values()) transfer.cancel();
    this.#port.close();
  }

  #received(message) {
    if (!message || typeof message !== 'object') return;
    if (message.type === 'want') this.#want(message);
    if (message.type === 'credit' && message.count > 0) this.#live.get(message.id)?.credit(message.count);
    if (message.type === 'cancel') this.#live.get(message.id)?.cancel(message.late === true);
    if (message.type === 'took') this.#took(message);
  }

  async #want({ id, path, range, page }) {
    if (!Number.isSafeInteger(id) || this.#live.has(id)) return;
    const send = (message, transfer = []) => this.#port.postMessage({ ...message, id }, transfer);
    if (this.#live.size >= MAX_LIVE_PER_PORT) return send({ type: 'origin', reason: 'too-many' });
    if (range !== '' && !isRange(range)) return send({ type: 'origin', reason: 'range' });
    const transfer = new Transfer(send, range, this.#slots);
    this.#live.set(id, transfer);
    send({ type: 'ack' });
    await transfer.run(() => this.#locate(path, page));
    this.#live.delete(id);
  }

  async #locate(path, page) {
    return this.#assets.locate(await this.#document(page), path);
  }

  /**
   * The document that asks. A frame or worker names no page: it belongs to the site's open documents, as long as these agree
   * on the release.
   */
  async #document(page) {
    if (typeof page !== 'string') return null;
    if (page !== '') return this.#sites.docOfPage(this.#site, page);
    const records = this.#sites.docsOfSite(this.#site);
    return records.every(record => record.seq === records[0].seq) ? records.at(-1) ?? null : null;
  }

  async #took({ page, bytes }) {
    const record = await this.#document(page);
    if (record && Number.isSafeInteger(bytes) && bytes >= 0) this.#sites.took(record, bytes);
  }
}
