import { double } from '../../shared/double.js';

export const address = import.meta.url;
export const twice = double;
