// What the popup shows on top of its first view, loaded when that has been drawn.
export { CacheView } from '../ui/cache.js';
export { drawProblems } from '../ui/problems.js';
export { SettingsForm } from '../ui/settings.js';
export { Totals } from '../ui/totals.js';
