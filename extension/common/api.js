// The WebExtension namespace under one name. Both browsers return promises from it in manifest version 3.
export const api = globalThis.browser ?? globalThis.chrome;

/** True where a request can be held and its response rewritten, which is how the Firefox half works. */
export const canFilterResponses = () => typeof api.webRequest?.filterResponseData === 'function';
