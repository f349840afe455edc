// Asks the background before the popup's modules are there: the answer is what takes time. A plain script, which runs at once.
globalThis.named = Number(/^#tab=(\d+)$/.exec(location.hash)?.[1] ?? 0);
globalThis.firstState = (globalThis.browser ?? chrome).runtime.sendMessage({ type: 'popup.state', tab: globalThis.named });
