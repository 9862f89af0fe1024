// Elements without markup: texts become text nodes, never HTML.

// h('button', {class: 'quiet', onclick: f}, 'Stop'): attributes by name; false and null are left out.
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

const ICONS = {
  plus: 'M12 5v14M5 12h14', close: 'M6 6l12 12M18 6L6 18', list: 'M4 7h16M4 12h16M4 17h10',
  sliders: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5', up: 'M12 19V5M6 11l6-6 6 6',
  down: 'M12 5v14M6 13l6 6 6-6', stop: 'M7 7h10v10H7z', pulse: 'M3 12h4l3-7 4 14 3-7h4',
  copy: 'M9 9h10v10H9zM5 15V5h10', edit: 'M5 19l1-4L16 5l3 3L9 18z', check: 'M5 13l4 4L19 7',
  retry: 'M19 12a7 7 0 1 1-2.1-5M19 4v4h-4', undo: 'M5 10h9a5 5 0 0 1 0 10h-4M9 6l-4 4 4 4',
  trash: 'M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12', chat: 'M5 6h14v10h-8l-4 3v-3H5z',
};

export function icon(name) {
  return svg('svg', {viewBox: '0 0 24 24', class: 'ico', 'aria-hidden': 'true'},
             svg('path', {d: ICONS[name]}));
}

// Draws the icons that the page names with data-icon.
export function drawIcons(root = document) {
  for (const element of root.querySelectorAll('[data-icon]')) element.prepend(icon(element.dataset.icon));
}
