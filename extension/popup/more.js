// What the popup shows on top of its first view, loaded when that has been drawn.
export { drawProblems } from '../ui/problems.js';
export { SettingsForm } from '../ui/settings.js';
export { CacheView } from './cache.js';
