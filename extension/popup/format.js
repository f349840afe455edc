// Texts and numbers as the visitor's language writes them.
import { api } from '../common/api.js';

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

export function text(name, ...values) {
  return api.i18n.getMessage(name, values.map(String));
}

/** Bytes in decimal units with three digits at most. */
export function formatBytes(bytes, language = api.i18n.getUILanguage()) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  const value = bytes / 1000 ** power;
  const maximumFractionDigits = power && value < 100 ? 1 : 0;
  const unitDisplay = power ? 'short' : 'long';
  return new Intl.NumberFormat(language, { style: 'unit', unit: UNITS[power], unitDisplay, maximumFractionDigits }).format(value);
}
