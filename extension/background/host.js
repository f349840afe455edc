// The one connection to the native host: frames, answers, timeouts, reconnecting. It knows the protocol's envelope
// (host/PROTOCOL.md section 2) and nothing of sites or pages.
//
// States: "connecting", "ready", "missing" (no host can be started), "wrong-version" (it speaks another API), "crashed" (it ended
// or hangs; another attempt follows). `fault` says more exactly which (problems.js), `detail` carries the browser's or host's own
// words, `health` what a host that is well says of the disk, the network and the clock.
import { API_VERSION, HELLO_TIMEOUT_MS, MAX_BATCH, MAX_FRAME_BYTES, MAX_PENDING_REQUESTS, PING_TIMEOUT_MS, RECONNECT_MAX_MS, RECONNECT_MIN_MS,
  REQUEST_TIMEOUT_MS, STABLE_MS } from '../common/limits.js';
import { isGateway } from '../common/gateway.js';
import { Outbox } from './outbox.js';
import { HEALTHY, checkHealth } from './problems.js';

export const HOST_NAME = 'org.fringe.host';
export const ZONES = ['off', 'fetch', 'share'];

/** Why a request has no answer: "not-ready", "disconnected", "timeout", "too-big", "too-many", or the host's own error code. */
export class HostError extends Error {
  constructor(code, text = code) {
    super(text);
    this.name = 'HostError';
    this.code = code;
  }
}

export class Host {
  #connectNative;
  #client;
  #port = null;
  #outbox = null;
  #pending = new Map();
  #nextId = 1;
  #failures = 0;
  #stableTimer = 0;
  #retryTimer = 0;
  #probing = false;
  #stateListeners = new Set();
  #eventListeners = new Set();
  #healthListeners = new Set();
  #zoneListeners = new Set();

  /** `connectNative` gives a runtime.Port and `lastError` the browser's reason after a disconnect: both replaceable in tests. */
  constructor({ connectNative, lastError, version }) {
    this.#connectNative = connectNative;
    this.lastError = lastError;
    this.#client = { api: API_VERSION, client: 'extension', version };
    this.state = 'connecting';
    this.fault = '';
    this.detail = '';
    this.health = HEALTHY;
    this.info = null;
  }

  get ready() {
    return this.state === 'ready';
  }

  /** False while it owes an answer to "are you there?": no page waits for it then. */
  get answering() {
    return this.ready && !this.#probing;
  }

  /** A page has waited in vain: asks whether the host lives. */
  doubt() {
    this.#probe();
  }

  onState(listener) {
    this.#stateListeners.add(listener);
  }

  onEvent(listener) {
    this.#eventListeners.add(listener);
  }

  /** `listener()` runs when the host says something else of the disk, the network or the clock. */
  onHealth(listener) {
    this.#healthListeners.add(listener);
  }

  /** `listener()` runs when the zone of sites without a choice has changed: `info.defaultZone`. */
  onDefaultZone(listener) {
    this.#zoneListeners.add(listener);
  }

  /** Sets the zone of sites without a choice, for all of the visitor's browsers. */
  async setDefaultZone(zone) {
    const { default_zone: now } = await this.request('settings', { default_zone: zone });
    this.#defaultZoneIs(now);
  }

  #defaultZoneIs(zone) {
    if (!this.ready || !ZONES.includes(zone) || zone === this.info.defaultZone) return;
    this.info.defaultZone = zone;
    for (const listener of this.#zoneListeners) listener();
  }

  /** Connects now unless a connection stands: at start, when a label was seen, when the visitor asks. */
  connect() {
    clearTimeout(this.#retryTimer);
    if (this.#port) return;
    let port;
    try {
      port = this.#connectNative(HOST_NAME);
    } catch (error) {
      this.#lost('missing', faultOf(error.message), error.message);
      return;
    }
    this.#port = port;
    this.#outbox = null;
    port.onMessage.addListener(message => this.#received(port, message));
    port.onDisconnect.addListener(disconnected => this.#disconnected(port, disconnected));
    this.#greet(port);
  }

  /** The answer's fields; throws HostError. Only a host that said hello is asked. */
  request(type, fields = {}, { timeoutMs = REQUEST_TIMEOUT_MS } = {}) {
    if (!this.ready) return Promise.reject(new HostError('not-ready', `the host is ${this.state}`));
    return this.#send(type, fields, timeoutMs).catch(error => {
      if (error.code === 'timeout') this.#probe();
      throw error;
    });
  }

  #send(type, fields, timeoutMs) {
    const id = this.#nextId++;
    const frame = { id, type, ...fields };
    const bytes = new TextEncoder().encode(JSON.stringify(frame)).length;
    if (bytes > MAX_FRAME_BYTES) return Promise.reject(new HostError('too-big'));
    if (this.#pending.size >= MAX_PENDING_REQUESTS) return Promise.reject(new HostError('too-many'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, null, new HostError('timeout', `no answer to ${type}`)), timeoutMs);
      this.#pending.set(id, { resolve, reject, timer });
      try {
        if (this.#outbox) this.#outbox.send(frame, bytes);
        else this.#port.postMessage(frame);
      } catch (error) {
        this.#settle(id, null, new HostError('disconnected', error.message));
      }
    });
  }

  #settle(id, answer, error) {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (error) pending.reject(error);
    else pending.resolve(answer);
  }

  async #greet(port) {
    try {
      const hello = await this.#send('hello', this.#client, HELLO_TIMEOUT_MS);
      if (port !== this.#port) return;
      const problem = helloProblem(hello);
      if (problem) return this.#drop('wrong-version', problem.fault, problem.text);
      if (hello.batch > 1) this.#outbox = new Outbox(frames => this.#postOn(port, frames), Math.min(hello.batch, MAX_BATCH));
      // One that ends again and again must not be started again at once each time.
      this.#stableTimer = setTimeout(() => {
        this.#failures = 0;
      }, STABLE_MS);
      this.info = { version: hello.version, pid: hello.pid, gateway: hello.gateway, defaultZone: hello.default_zone };
      this.health = checkHealth(hello.health);
      this.#setState('ready', '', '');
    } catch (error) {
      if (port !== this.#port) return;
      // A host that refuses our hello speaks another version of it; one that says nothing hangs.
      if (error.code === 'timeout') this.#drop('crashed', 'hangs', error.message);
      else this.#drop('wrong-version', 'host-odd', error.message);
    }
  }

  /** One slow answer may be the network's fault; a host that does not even answer a hello hangs and is given up. */
  async #probe() {
    if (this.#probing || !this.ready) return;
    this.#probing = true;
    const port = this.#port;
    try {
      await this.#send('hello', this.#client, PING_TIMEOUT_MS);
    } catch (error) {
      if (port === this.#port && error.code === 'timeout') this.#drop('crashed', 'hangs', 'the host does not answer');
    } finally {
      this.#probing = false;
    }
  }

  /** Frames that have waited: whoever sent them has gone on, so a port that is closing says so by its own event. */
  #postOn(port, frames) {
    try {
      port.postMessage(frames);
    } catch (error) {
      for (const { id } of [frames].flat()) this.#settle(id, null, new HostError('disconnected', error.message));
    }
  }

  /** A frame: one message, or an array of them. */
  #received(port, frame) {
    const messages = Array.isArray(frame) ? frame.slice(0, MAX_BATCH) : [frame];
    for (const message of messages) if (port === this.#port && message && typeof message === 'object') this.#take(message);
  }

  #take(message) {
    if (typeof message.event === 'string') {
      if (message.event === 'health') this.#healthIs(checkHealth(message));
      if (message.event === 'zone.changed') this.#defaultZoneIs(message.default_zone);
      for (const listener of this.#eventListeners) listener(message);
      return;
    }
    if (message.ok === true) return this.#settle(message.id, message, null);
    this.#settle(message.id, null, new HostError(String(message.error ?? 'failed'), String(message.text ?? message.error ?? 'failed')));
  }

  #healthIs(health) {
    if (!this.ready) return;
    this.health = health;
    for (const listener of this.#healthListeners) listener();
  }

  #disconnected(port, disconnected) {
    if (port !== this.#port) return;
    const words = disconnected?.error?.message ?? this.lastError() ?? '';
    const fault = faultOf(words, this.ready);
    this.#lost(fault === 'ended' ? 'crashed' : 'missing', fault, words);
  }

  #drop(state, fault, detail) {
    const port = this.#port;
    this.#lost(state, fault, detail);
    port.disconnect();
  }

  #lost(state, fault, detail) {
    this.#port = null;
    this.#outbox?.close();
    this.#outbox = null;
    this.info = null;
    this.health = HEALTHY;
    this.#failures++;
    clearTimeout(this.#stableTimer);
    this.#setState(state, fault, detail);
    for (const id of [...this.#pending.keys()]) this.#settle(id, null, new HostError('disconnected', detail));
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.connect(), retryDelay(state, this.#failures));
  }

  #setState(state, fault, detail) {
    this.state = state;
    this.fault = fault;
    this.detail = String(detail).slice(0, 500);
    for (const listener of this.#stateListeners) listener(state);
  }
}

/** {fault, text}, or null when the hello is as it should be. */
function helloProblem({ api, gateway, default_zone: zone }) {
  if (api !== API_VERSION) {
    const fault = api > API_VERSION ? 'host-newer' : api < API_VERSION ? 'host-older' : 'host-odd';
    return { fault, text: `the host speaks version ${String(api).slice(0, 20)} of the API, this extension ${API_VERSION}` };
  }
  if (!isGateway(gateway)) return { fault: 'host-odd', text: 'the host named no usable gateway' };
  return ZONES.includes(zone) ? null : { fault: 'host-odd', text: 'the host named no default zone' };
}

/** What browsers say when a host cannot be started, first Chromium's words, then Firefox's. */
const WORDS = {
  'not-installed': /host not found|no such native application/i,
  'not-allowed': /host is forbidden|does not have permission to use native/i,
  'not-startable': /failed to start native|does not exist, or is not executable/i,
};

/** Firefox has a word for a program that it cannot start which it may use for others too, of one that has run. */
export function faultOf(words, hasRun = false) {
  if (!hasRun && /an unexpected error occurred/i.test(words)) return 'not-startable';
  return Object.keys(WORDS).find(fault => WORDS[fault].test(words)) ?? 'ended';
}

/** A crash may pass in a moment; an installation is waited for patiently. */
function retryDelay(state, failures) {
  const first = state === 'crashed' ? RECONNECT_MIN_MS : RECONNECT_MIN_MS * 20;
  return Math.min(first * 2 ** Math.min(failures - 1, 16), RECONNECT_MAX_MS);
}
