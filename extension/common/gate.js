// Lets few through at a time and the others wait, not for ever: a page may start hundreds of requests at once, and a browser has
// six connections for the gateway.

export class Gate {
  #free;
  #waiting = new Set();

  constructor(slots) {
    this.#free = slots;
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
