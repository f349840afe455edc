// A hidden frame of the extension inside a page, for a moment: it hands one end of a message channel to the extension's worker,
// which a site's worker cannot reach by itself. Any page may embed this frame and speak to it, so the port is tagged with the
// origin the browser says the page has, never with anything the page says.
addEventListener('message', async event => {
  const { ancestorOrigins } = location;
  if (event.source !== parent || ancestorOrigins.length !== 1 || event.origin !== ancestorOrigins[0]) return;
  if (event.data?.fringe !== 'port' || event.ports.length !== 2) return;
  const [port, done] = event.ports;
  const { active } = await navigator.serviceWorker.ready;
  active.postMessage({ fringe: 'port', site: event.origin }, [port]);
  done.postMessage('done');
});
