// Where the background begins: makes the shared parts, then hands them to this browser's half. All listeners are added in the
// first turn, because a sleeping background is woken for an event only when its listener is there at once.
import { startChromium } from '../chromium/start.js';
import { api, canFilterResponses } from '../common/api.js';
import { labelFromElement } from '../common/label.js';
import { startFirefox } from '../firefox/start.js';
import { Assets } from './assets.js';
import { Badge } from './badge.js';
import { answerDoctor } from './doctor.js';
import { Host } from './host.js';
import { answerKnownSites } from './known-sites.js';
import { watchLabels } from './labels.js';
import { answerLog } from './log.js';
import { keepSites } from './memory.js';
import { Messages } from './messages.js';
import { answerPopup } from './popup.js';
import { answerSettings } from './settings.js';
import { Sites } from './sites.js';
import { welcomeNewVisitors } from './welcome.js';

const native = { connectNative: name => api.runtime.connectNative(name), lastError: () => api.runtime.lastError?.message };
const host = new Host({ ...native, version: api.runtime.getManifest().version });
const sites = new Sites(host);
const parts = { host, sites, assets: new Assets(host, sites), messages: new Messages() };

keepSites(sites);
watchLabels(sites);
answerPopup(parts);
answerSettings(parts);
answerKnownSites(parts);
answerLog(parts);
answerDoctor(parts.messages, native);
welcomeNewVisitors();
new Badge(parts);
parts.messages.on('page.label', {
  from: 'page',
  check: ({ href, seq }) => typeof href === 'string' && (seq === undefined || typeof seq === 'string'),
  handle: ({ href, seq }, { tab, url }) => {
    const label = labelFromElement(href, seq, url);
    if (label) sites.labelled(tab.id, label);
  },
});
(canFilterResponses() ? startFirefox : startChromium)(parts);
parts.messages.listen();
host.connect();
