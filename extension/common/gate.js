// Lets few through at a time and the others wait, not for ever: a page may start hundreds of requests at once, and a browser has
// six connections for the gateway.

export class Gate {
  #free;
  #waiting = new Set();

  constructor(slots) {
    this.#free = slots;
  }

  /** Runs `fn` in a slot and resolves to what it gives; to null when no slot came free in time. */
  async within(timeoutMs, fn) {
    const leave = await this.enter(timeoutMs);
    if (!leave) return null;
    try {
      return await fn();
    } finally {
      leave();
    }
  }

  /** Resolves to a function that gives the slot back, or to null when none came free in time. */
  enter(timeoutMs) {
    if (this.#free > 0) {
      this.#free--;
      return this.#leaver();
    }
    return new Promise(resolve => {
      const waiter = slot => {
        this.#waiting.delete(waiter);
        clearTimeout(timer);
        resolve(slot);
      };
      const timer = setTimeout(waiter, timeoutMs, null);
      this.#waiting.add(waiter);
    });
  }

  #leaver() {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const [next] = this.#waiting;
      if (next) next(this.#leaver());
      else this.#free++;
    };
  }
}
