// Six connections to the gateway are all a browser has. Here transfers wait for theirs, and learn at once when a gateway that does
// not answer makes waiting useless.
import { Gate } from '../common/gate.js';

const SLOTS = 6;
const QUEUE_MS = 4000;
/** So many silent answers in a row, and nobody asks for a while. */
const MAX_SILENT = 3;
const PAUSE_MS = 5000;

export class GatewaySlots {
  #gate = new Gate(SLOTS);
  #silent = 0;
  #pausedUntil = 0;

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
    if (++this.#silent < MAX_SILENT) return;
    this.#silent = 0;
    this.#pausedUntil = performance.now() + PAUSE_MS;
  }

  #paused() {
    return performance.now() < this.#pausedUntil;
  }
}
