// Chromium, when anything on the visitor's machine breaks (lib/breaks.js).
import { testBreaks } from './lib/breaks.js';
import { openChromium } from './lib/chromium.js';

testBreaks(openChromium, { cacheNeedsSite: false, tellsProgram: false });
