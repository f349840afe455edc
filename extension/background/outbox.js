// Messages to the host, several of a moment in one frame: a browser takes about a millisecond for each frame, a page may want
// hundreds of files at once. The first of a moment goes by itself and waits for nobody.
import { BATCH_MS, MAX_FRAME_BYTES } from '../common/limits.js';

const BRACKETS = 2;

export class Outbox {
  #post;
  #most;
  #waiting = [];
  #bytes = BRACKETS;
  #timer = 0;

  /** `post(frame)` sends, `most` is how many messages the host takes in one frame. */
  constructor(post, most) {
    this.#post = post;
    this.#most = most;
  }

  /** `bytes` is the message's length as JSON. */
  send(message, bytes) {
    if (!this.#timer) {
      this.#post(message);
      this.#pause();
      return;
    }
    if (this.#waiting.length >= this.#most || this.#bytes + bytes + 1 > MAX_FRAME_BYTES) this.#flush();
    this.#waiting.push(message);
    this.#bytes += bytes + 1;
  }

  /** Nothing more is sent. */
  close() {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #pause() {
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      if (this.#waiting.length === 0) return;
      this.#pause();
      this.#flush();
    }, BATCH_MS);
  }

  #flush() {
    const messages = this.#waiting;
    if (messages.length === 0) return;
    this.#waiting = [];
    this.#bytes = BRACKETS;
    this.#post(messages.length === 1 ? messages[0] : messages);
  }
}
