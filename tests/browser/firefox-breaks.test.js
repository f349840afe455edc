// Firefox, when anything on the visitor's machine breaks (lib/breaks.js).
import { testBreaks } from './lib/breaks.js';
import { openFirefox } from './lib/firefox.js';

// The browser lets the extension fill in an answer's body only, so the site has to give one.
testBreaks(openFirefox, { cacheNeedsSite: true, tellsProgram: true });
