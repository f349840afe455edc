/** Throws `complaint` when `truth` is false. */
export function expect(truth, complaint) {
  if (!truth) throw new Error(complaint);
}

/** Waits until the document and what it names (styles, scripts, images) is there. */
export function pageLoaded() {
  return document.readyState === 'complete' ? Promise.resolve() : new Promise(resolve => addEventListener('load', resolve, { once: true }));
}
