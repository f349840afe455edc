// The popup's three views as tabs (WAI-ARIA's pattern): arrow keys, Home and End move between them, Tab goes into the view.
const KEYS = { ArrowRight: (now, count) => (now + 1) % count, ArrowLeft: (now, count) => (now + count - 1) % count, Home: () => 0, End: (now, count) => count - 1 };

export class Tabs {
  #tabs;
  #chosen;

  /** `chosen(name)` runs when a view comes to the front; tabs are "tab-NAME", their panels "panel-NAME". */
  constructor(list, chosen) {
    this.#tabs = [...list.querySelectorAll('[role=tab]')];
    this.#chosen = chosen;
    list.addEventListener('click', event => this.#tabs.includes(event.target) && this.choose(nameOf(event.target)));
    list.addEventListener('keydown', event => this.#key(event));
  }

  get name() {
    return nameOf(this.#tabs.find(tab => tab.getAttribute('aria-selected') === 'true'));
  }

  choose(name) {
    for (const tab of this.#tabs) {
      const front = nameOf(tab) === name;
      tab.setAttribute('aria-selected', String(front));
      tab.tabIndex = front ? 0 : -1;
      document.getElementById(tab.getAttribute('aria-controls')).hidden = !front;
    }
    this.#chosen(name);
  }

  #key(event) {
    const move = KEYS[event.key];
    if (!move) return;
    event.preventDefault();
    const next = this.#tabs[move(this.#tabs.indexOf(event.target), this.#tabs.length)];
    this.choose(nameOf(next));
    next.focus();
  }
}

const nameOf = tab => tab.id.slice('tab-'.length);
