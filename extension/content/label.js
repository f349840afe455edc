// Content script of both browsers: reports a label that stands in the document, for servers that cannot set headers. Looks at
// the head only, and stops when it is over.
(() => {
  if (window.top !== window) return;
  const api = globalThis.browser ?? globalThis.chrome;

  const look = () => {
    const link = document.querySelector('head > link[rel~="fringe" i][href]');
    if (link) api.runtime.sendMessage({ type: 'page.label', href: link.href, seq: link.dataset.seq }).catch(() => {});
    return Boolean(link) || Boolean(document.body);
  };
  const observer = new MutationObserver(() => {
    if (look()) observer.disconnect();
  });
  if (!look()) observer.observe(document, { childList: true, subtree: true });
})();
