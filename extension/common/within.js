/** The promise's value, or undefined when it takes longer than `ms`. */
export function within(promise, ms) {
  let timer;
  const late = new Promise(resolve => {
    timer = setTimeout(resolve, ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
