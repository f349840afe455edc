// setTimeout on a clock that only the test moves. Node.js has mock.timers for this, but differently in 18 and 20.
const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };

/** Replaces setTimeout and clearTimeout until the test `t` ends. `tick(ms)` runs what falls due, in order. */
export function fakeClock(t) {
  const waiting = new Map();
  let now = 0;
  let count = 0;
  globalThis.setTimeout = (fn, ms = 0, ...args) => {
    waiting.set(++count, { at: now + ms, run: () => fn(...args) });
    return count;
  };
  globalThis.clearTimeout = id => void waiting.delete(id);
  t.after(() => Object.assign(globalThis, real));

  const nextDue = end => [...waiting].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
  return {
    tick(ms) {
      const end = now + ms;
      for (let due = nextDue(end); due; due = nextDue(end)) {
        const [id, timer] = due;
        waiting.delete(id);
        now = timer.at;
        timer.run();
      }
      now = end;
    },
  };
}
