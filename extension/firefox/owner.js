// Whose request is it? Answers with the labelled document it belongs to, or null: then nobody touches it.
import { siteOf } from '../common/paths.js';

/**
 * Documents, pings, sockets and reports stay away: they are no files, or their answer has no body that matters. So do frames: one
 * whose body a filter has replaced may never come to its load event.
 */
export const TYPES = ['font', 'image', 'imageset', 'json', 'media', 'other', 'script', 'stylesheet', 'web_manifest',
  'xmlhttprequest', 'xslt'];

/**
 * The record of sites.js whose release the request's file belongs to. The document that asks must be of the site, and the
 * tab must show that site: an iframe of the site within another site gets nothing, and neither does another site's within it.
 */
export function ownerOf(details, sites) {
  if (details.method !== 'GET' || details.incognito) return null;
  const site = siteOf(details.documentUrl);
  if (!site || siteOf(details.url) !== site) return null;
  return details.tabId >= 0 ? ownerInTab(details, sites, site) : ownerOfWorker(details, sites, site);
}

function ownerInTab(details, sites, site) {
  const record = sites.docOfTab(details.tabId);
  return record?.site === site ? record : null;
}

/**
 * Shared workers and service workers belong to no tab. They may serve several documents, so their release is known only when
 * all open documents of the site are of the same one.
 */
function ownerOfWorker(details, sites, site) {
  if (details.thirdParty !== false) return null;
  const [first, ...others] = sites.docsOfSite(site);
  return first && others.every(record => record.seq === first.seq) ? first : null;
}
