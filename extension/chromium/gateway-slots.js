// Six connections to the gateway are all a browser has. Here transfers wait for theirs, and learn at once when a gateway that does
// not answer makes waiting useless.
import { Gate } from '../common/gate.js';

const SLOTS = 6;
/** A queue that moves is worth waiting in: each file that goes to the site instead is one the site has to send twice. */
const QUEUE_MS = 8000;
/** All connections silent, one after another without a word between: nobody asks for a while. */
const MAX_SILENT = SLOTS;
const PAUSE_MS = 5000;

export class GatewaySlots {
  #assets;
  #gate = new Gate(SLOTS);
  #silent = 0;
  #pausedUntil = 0;

  constructor(assets) {
    this.#assets = assets;
  }

  /** Resolves to a function that gives the slot back, or to null when the origin should answer instead. */
  async enter() {
    if (this.#paused()) return null;
    const leave = await this.#gate.enter(QUEUE_MS);
    if (!leave || !this.#paused()) return leave;
    leave();
    return null;
  }

  answered() {
    this.#silent = 0;
  }

  silent() {
    this.#assets.doubt();
    if (++this.#silent < MAX_SILENT) return;
    this.#silent = 0;
    this.#pausedUntil = performance.now() + PAUSE_MS;
  }

  #paused() {
    return performance.now() < this.#pausedUntil || !this.#assets.answering;
  }
}
