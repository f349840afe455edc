// The limits, as popup and options page show them: one description, one form. What is typed goes to the host at once
// (background/settings.js), and what the host then says is shown.
import { ask } from './ask.js';
import { make, setText } from './dom.js';
import { makeField } from './field.js';
import { makeSwitch } from './switch.js';
import { formatBytes, formatMonth, formatRate, plural, text } from './text.js';

/** Fields are left empty for "no limit"; `unit` is how many bytes one of theirs is, `least` the host's minimum (limits.h), `detail` is not for the popup. */
const FIELDS = [
  { name: 'upload_rate', label: 'settingUploadRate', unit: 1000, unitText: 'unitRate', least: 8000 },
  { name: 'download_rate', label: 'settingDownloadRate', unit: 1000, unitText: 'unitRate', least: 8000, detail: true },
  { name: 'monthly_cap', label: 'settingMonthlyCap', unit: 1e9, unitText: 'unitMonth', least: 1 },
];
/** Those that this host does not know are not shown. */
const SWITCHES = [
  { name: 'unmetered_only', label: 'settingUnmetered', help: 'settingUnmeteredHelp' },
  { name: 'mains_only', label: 'settingMains', help: 'settingMainsHelp' },
  { name: 'local_discovery', label: 'settingLocal', help: 'settingLocalHelp' },
];
const PAUSE_MINUTES = 60;

export class SettingsForm {
  #rows = new Map();
  #error = make('p', { className: 'error', role: 'alert' });
  #complaints = new Map(); // by the control they are about: what went well elsewhere takes none away
  #sharing = make('p', { role: 'status' });
  #pause = make('button', { type: 'button' });
  #month = make('p', { className: 'quiet' });
  #monthBar = make('span', { className: 'of-used' });
  #set = make('fieldset');
  #paused = false;

  /** Puts the form into `root`. */
  constructor(root, { details = false } = {}) {
    this.#pause.addEventListener('click', () => this.#do('pause', this.#paused ? 'settings.resume' : 'settings.pause', { minutes: PAUSE_MINUTES }));
    this.#set.className = 'settings';
    this.#set.append(
      make('legend', { className: 'spoken' }, text('limitsTitle')),
      make('div', { className: 'setting pause' }, this.#sharing, this.#pause),
      ...FIELDS.filter(({ detail }) => details || !detail).map(field => this.#field(field)),
      ...SWITCHES.map(field => this.#switch(field)),
    );
    root.append(this.#set, this.#error);
  }

  /** `state` is the answer to "settings.state", or that part of the popup's. Fields that are being edited stay as they are. */
  draw({ settings, sharing, pausedSeconds, surroundings, month }) {
    this.#set.disabled = !settings;
    this.#paused = sharing === 'paused';
    setText(this.#sharing, [sharingText(sharing, pausedSeconds), ...unsaid(settings, sharing, surroundings)].join(' '));
    setText(this.#pause, text(this.#paused ? 'resume' : 'pauseHour'));
    for (const [name, row] of this.#rows) row.draw(settings?.[name]);
    if (settings) this.#drawMonth(settings.monthly_cap, month);
  }

  #drawMonth(cap, { name, uploaded }) {
    const bytes = formatBytes(uploaded);
    setText(this.#month, cap ? text('monthUsed', bytes, formatBytes(cap), formatMonth(name)) : text('monthGiven', bytes, formatMonth(name)));
    this.#monthBar.parentElement.hidden = !cap;
    this.#monthBar.style.width = `${cap ? Math.min(100, 100 * uploaded / cap) : 0}%`;
  }

  #field({ name, least, unit, ...field }) {
    const { row, draw } = makeField({
      id: `setting-${name}`, least, unit, ...field,
      given: value => this.#do(name, 'settings.set', { settings: { [name]: value } }),
      refused: () => this.#complain(name, text('settingTooSmall', unit === 1000 ? formatRate(least) : formatBytes(least))),
    });
    if (name === 'monthly_cap') row.append(make('div', { className: 'bar', 'aria-hidden': 'true' }, this.#monthBar), this.#month);
    this.#rows.set(name, { draw });
    return row;
  }

  #switch({ name, label, help }) {
    const { label: element, input } = makeSwitch(`setting-${name}`, text(label), text(help));
    const row = make('div', { className: 'setting', hidden: true }, element);
    input.addEventListener('change', () => this.#do(name, 'settings.set', { settings: { [name]: Number(input.checked) } }));
    this.#rows.set(name, {
      draw(value) {
        row.hidden = value === undefined;
        input.checked = Boolean(value);
      },
    });
    return row;
  }

  async #do(control, type, fields) {
    try {
      this.draw(await ask(type, fields));
      this.#complain(control, '');
    } catch (error) {
      this.#complain(control, text('notChanged', error.message));
    }
  }

  #complain(control, words) {
    this.#complaints.set(control, words);
    setText(this.#error, [...new Set(this.#complaints.values())].filter(Boolean).join(' '));
  }
}

export function sharingText(sharing, pausedSeconds) {
  if (sharing === 'paused') return pausedSeconds ? plural('pausedMinutes', Math.ceil(pausedSeconds / 60)) : text('pausedOpen');
  return text({ on: 'sharingOn', month: 'sharingMonth', metered: 'sharingMetered', battery: 'sharingBattery', asking: 'sharingAsking' }[sharing]
    ?? 'sharingUnknown');
}

/** A switch that cannot do anything here is not left without a word. */
function unsaid(settings, sharing, surroundings) {
  if (!settings || sharing === 'asking') return [];
  return [settings.unmetered_only && surroundings.network === 'unknown' && 'unsaidNetwork', settings.mains_only && surroundings.power === 'unknown' && 'unsaidPower']
    .filter(Boolean).map(name => text(name));
}
