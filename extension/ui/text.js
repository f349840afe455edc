// Texts, numbers and times as the visitor's language writes them. Every word that a visitor reads stands in _locales.
import { api } from '../common/api.js';

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
const STEPS = [['day', 86400], ['hour', 3600], ['minute', 60]];

const language = () => text('@@ui_locale').replace('_', '-');

export function text(name, ...values) {
  return api.i18n.getMessage(name, values.map(String));
}

/** NAME_one or NAME_other, with the number as the first placeholder. */
export function plural(name, number, ...values) {
  const form = new Intl.PluralRules(language()).select(number) === 'one' ? 'one' : 'other';
  return text(`${name}_${form}`, formatNumber(number), ...values);
}

export function formatNumber(number) {
  return new Intl.NumberFormat(language()).format(number);
}

/** Bytes in decimal units with three digits at most. */
export function formatBytes(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  const value = bytes / 1000 ** power;
  const maximumFractionDigits = power && value < 100 ? 1 : 0;
  const unitDisplay = power ? 'short' : 'long';
  return new Intl.NumberFormat(language(), { style: 'unit', unit: UNITS[power], unitDisplay, maximumFractionDigits }).format(value);
}

export function formatRate(bytesPerSecond) {
  return text('perSecond', formatBytes(bytesPerSecond));
}

/** "2 days ago", "now"; `seconds` since then. */
export function formatAgo(seconds) {
  const format = new Intl.RelativeTimeFormat(language(), { numeric: 'auto' });
  const [unit, length] = STEPS.find(([, least]) => seconds >= least) ?? ['second', seconds + 1];
  return format.format(-Math.floor(seconds / length), unit);
}

/** {number, unit} as "3 days". */
export function formatLength({ number, unit }) {
  return new Intl.NumberFormat(language(), { style: 'unit', unit, unitDisplay: 'long' }).format(number);
}

/** "2026-11" as "November 2026"; whatever else as it is. */
export function formatMonth(name) {
  const [, year, month] = /^(\d{4})-(\d{2})$/.exec(name) ?? [];
  if (!year) return name;
  return new Intl.DateTimeFormat(language(), { year: 'numeric', month: 'long', timeZone: 'UTC' }).format(Date.UTC(year, month - 1));
}

/** Fills in the texts that never change: data-i18n is an element's text, data-i18n-label its accessible name. */
export function translate(root = document) {
  document.documentElement.lang = language();
  for (const element of root.querySelectorAll('[data-i18n]')) element.textContent = text(element.dataset.i18n);
  for (const element of root.querySelectorAll('[data-i18n-label]')) element.setAttribute('aria-label', text(element.dataset.i18nLabel));
  for (const element of root.querySelectorAll('[data-i18n-hint]')) element.placeholder = text(element.dataset.i18nHint);
}
