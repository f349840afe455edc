// The one connection to the native host: frames, answers, timeouts, reconnecting. It knows the protocol's envelope
// (host/PROTOCOL.md section 2) and nothing of sites or pages.
//
// States, as the popup shows them: "connecting", "ready", "missing" (no host is installed), "wrong-version" (it speaks another
// API), "crashed" (it ended or hangs; another attempt follows). `detail` carries the browser's or host's own words.
import { API_VERSION, HELLO_TIMEOUT_MS, MAX_FRAME_BYTES, MAX_PENDING_REQUESTS, PING_TIMEOUT_MS, RECONNECT_MAX_MS, RECONNECT_MIN_MS,
  REQUEST_TIMEOUT_MS } from '../common/limits.js';
import { isGateway } from '../common/gateway.js';

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
  #pending = new Map();
  #nextId = 1;
  #failures = 0;
  #retryTimer = 0;
  #probing = false;
  #stateListeners = new Set();
  #eventListeners = new Set();

  /** `connectNative` gives a runtime.Port and `lastError` the browser's reason after a disconnect: both replaceable in tests. */
  constructor({ connectNative, lastError, version }) {
    this.#connectNative = connectNative;
    this.lastError = lastError;
    this.#client = { api: API_VERSION, client: 'extension', version };
    this.state = 'connecting';
    this.detail = '';
    this.info = null;
  }

  get ready() {
    return this.state === 'ready';
  }

  onState(listener) {
    this.#stateListeners.add(listener);
  }

  onEvent(listener) {
    this.#eventListeners.add(listener);
  }

  /** Connects now unless a connection stands: at start, when a label was seen, when the visitor asks. */
  connect() {
    clearTimeout(this.#retryTimer);
    if (this.#port) return;
    let port;
    try {
      port = this.#connectNative(HOST_NAME);
    } catch (error) {
      this.#lost('missing', error.message);
      return;
    }
    this.#port = port;
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
    if (new TextEncoder().encode(JSON.stringify(frame)).length > MAX_FRAME_BYTES) return Promise.reject(new HostError('too-big'));
    if (this.#pending.size >= MAX_PENDING_REQUESTS) return Promise.reject(new HostError('too-many'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, null, new HostError('timeout', `no answer to ${type}`)), timeoutMs);
      this.#pending.set(id, { resolve, reject, timer });
      try {
        this.#port.postMessage(frame);
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
      if (problem) return this.#drop('wrong-version', problem);
      this.#failures = 0;
      this.info = { version: hello.version, pid: hello.pid, gateway: hello.gateway, defaultZone: hello.default_zone };
      this.#setState('ready', '');
    } catch (error) {
      if (port !== this.#port) return;
      // A host that refuses our hello speaks another version of it; one that says nothing hangs.
      this.#drop(error.code === 'timeout' ? 'crashed' : 'wrong-version', error.message);
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
      if (port === this.#port && error.code === 'timeout') this.#drop('crashed', 'the host does not answer');
    } finally {
      this.#probing = false;
    }
  }

  #received(port, message) {
    if (port !== this.#port || !message || typeof message !== 'object') return;
    if (typeof message.event === 'string') {
      for (const listener of this.#eventListeners) listener(message);
      return;
    }
    if (message.ok === true) return this.#settle(message.id, message, null);
    this.#settle(message.id, null, new HostError(String(message.error ?? 'failed'), String(message.text ?? message.error ?? 'failed')));
  }

  #disconnected(port, disconnected) {
    if (port !== this.#port) return;
    const words = disconnected?.error?.message ?? this.lastError() ?? '';
    this.#lost(isMissing(words) ? 'missing' : 'crashed', words);
  }

  #drop(state, detail) {
    const port = this.#port;
    this.#lost(state, detail);
    port.disconnect();
  }

  #lost(state, detail) {
    this.#port = null;
    this.info = null;
    this.#failures++;
    this.#setState(state, detail);
    for (const id of [...this.#pending.keys()]) this.#settle(id, null, new HostError('disconnected', detail));
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.connect(), retryDelay(state, this.#failures));
  }

  #setState(state, detail) {
    this.state = state;
    this.detail = String(detail).slice(0, 500);
    for (const listener of this.#stateListeners) listener(state);
  }
}

function helloProblem(hello) {
  if (hello.api !== API_VERSION) return `the host speaks version ${String(hello.api).slice(0, 20)} of the API, this extension ${API_VERSION}`;
  if (!isGateway(hello.gateway)) return 'the host named no usable gateway';
  return ZONES.includes(hello.default_zone) ? '' : 'the host named no default zone';
}

/** "Specified native messaging host not found." / "... is forbidden." (Chromium), "No such native application" (Firefox). */
function isMissing(words) {
  return /not found|no such native|forbidden/i.test(words);
}

/** A crash may pass in a moment; an installation is waited for patiently. */
function retryDelay(state, failures) {
  const first = state === 'crashed' ? RECONNECT_MIN_MS : RECONNECT_MIN_MS * 20;
  return Math.min(first * 2 ** Math.min(failures - 1, 16), RECONNECT_MAX_MS);
}
