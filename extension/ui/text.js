// Texts, numbers and times as the visitor's language writes them. Every word that a visitor reads stands in _locales.
import { api } from '../common/api.js';

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

const formatters = new Map();

/** One Intl formatter of each kind, made when it is first needed: making them is what takes time. */
function formatter(kind, options = {}) {
  const key = kind.name + JSON.stringify(options);
  if (!formatters.has(key)) formatters.set(key, new kind(language(), options));
  return formatters.get(key);
}

/** That of the texts; of the same language spoken elsewhere, its way to write numbers. */
function language() {
  const ours = text('language');
  const browsers = text('@@ui_locale').replace('_', '-');
  return browsers.split('-')[0] === ours ? browsers : ours;
}

export function text(name, ...values) {
  return api.i18n.getMessage(name, values.map(String));
}

/** NAME_one or NAME_other, with the number as the first placeholder. */
export function plural(name, number, ...values) {
  const form = formatter(Intl.PluralRules).select(number) === 'one' ? 'one' : 'other';
  return text(`${name}_${form}`, formatNumber(number), ...values);
}

export function formatNumber(number) {
  return formatter(Intl.NumberFormat).format(number);
}

/** Bytes in decimal units with three digits at most. */
export function formatBytes(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  const value = bytes / 1000 ** power;
  const maximumFractionDigits = power && value < 100 ? 1 : 0;
  const unitDisplay = power ? 'short' : 'long';
  return formatter(Intl.NumberFormat, { style: 'unit', unit: UNITS[power], unitDisplay, maximumFractionDigits }).format(value);
}

export function formatRate(bytesPerSecond) {
  return text('perSecond', formatBytes(bytesPerSecond));
}

/** {number, unit} as "3 days". */
export function formatLength({ number, unit }) {
  return formatter(Intl.NumberFormat, { style: 'unit', unit, unitDisplay: 'long' }).format(number);
}

/** "2026-11" as "November 2026"; whatever else as it is. */
export function formatMonth(name) {
  const [, year, month] = /^(\d{4})-(\d{2})$/.exec(name) ?? [];
  if (!year) return name;
  return formatter(Intl.DateTimeFormat, { year: 'numeric', month: 'long', timeZone: 'UTC' }).format(Date.UTC(year, month - 1));
}

/** Seconds since 1970 as date and time of day, here. */
export function formatTime(seconds) {
  return formatter(Intl.DateTimeFormat, { dateStyle: 'medium', timeStyle: 'medium' }).format(seconds * 1000);
}

/** Seconds since 1970 as "yesterday", "3 days ago" or "2 months ago". */
export function formatAgo(seconds) {
  const dayOf = ms => Math.floor((ms - new Date(ms).getTimezoneOffset() * 60000) / 86400000);
  const days = Math.max(0, dayOf(Date.now()) - dayOf(seconds * 1000));
  const [unit, length] = days < 60 ? ['day', 1] : days < 730 ? ['month', 30.4] : ['year', 365.25];
  return formatter(Intl.RelativeTimeFormat, { numeric: 'auto' }).format(-Math.floor(days / length), unit);
}

/** What somebody else named, with no character that hides itself or turns others round (controls, formats, odd line ends). */
export function plain(name) {
  return name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, sign => `\\u{${sign.codePointAt(0).toString(16)}}`);
}

/** Fills in the texts that never change: data-i18n is an element's text, data-i18n-label its accessible name. */
export function translate(root = document) {
  document.documentElement.lang = language();
  for (const element of root.querySelectorAll('[data-i18n]')) element.textContent = text(element.dataset.i18n);
  for (const element of root.querySelectorAll('[data-i18n-label]')) element.setAttribute('aria-label', text(element.dataset.i18nLabel));
  for (const element of root.querySelectorAll('[data-i18n-hint]')) element.placeholder = text(element.dataset.i18nHint);
}
