// Making and changing elements. Whatever a site or the host said goes in as text, never as markup.
export const at = id => document.getElementById(id);

/** An element with properties, `dataset` and attributes ("aria-label", "role", "for"), and children: elements or texts. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'dataset') Object.assign(element.dataset, value);
    else if (name.includes('-') || name === 'role' || name === 'for') element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter(child => child !== null));
  return element;
}

/** Leaves equal text alone, or a screen reader would repeat it at each refresh. */
export function setText(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
