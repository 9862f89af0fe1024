// Elements from markdown.js's tree. Nothing becomes HTML on the way.
import {h, icon} from './dom.js';
import {parseBlocks, parseInline} from './markdown.js';

function inline(text) {
  return parseInline(text).map(span);
}

function span(node) {
  if (typeof node === 'string') return node;
  switch (node.type) {
    case 'code': return h('code', {}, node.text);
    case 'break': return h('br');
    case 'link': return h('a', {href: node.href, rel: 'noreferrer noopener', target: '_blank'}, node.children.map(span));
    default: return h(node.type, {}, node.children.map(span));
  }
}

export function copyButton(text, label) {
  const button = h('button', {class: 'tool', type: 'button', 'aria-label': label, title: label});
  button.append(icon('copy'));
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text());
    button.replaceChildren(icon('check'));
    setTimeout(() => button.replaceChildren(icon('copy')), 1500);
  });
  return button;
}

function block(node) {
  switch (node.type) {
    case 'heading': return h(`h${Math.min(node.level + 2, 6)}`, {class: `level${node.level}`}, inline(node.text));
    case 'rule': return h('hr');
    case 'quote': return h('blockquote', {}, node.blocks.map(block));
    case 'list': {
      const items = node.items.map((blocks) => h('li', {}, blocks.length === 1 && blocks[0].type === 'paragraph'
        ? inline(blocks[0].text) : blocks.map(block)));
      return node.ordered ? h('ol', {start: node.start}, items) : h('ul', {}, items);
    }
    case 'table': {
      const row = (tag, texts) => h('tr', {}, node.head.map(
          (_, i) => h(tag, {class: node.align[i] ?? 'left'}, inline(texts[i] ?? ''))));
      return h('div', {class: 'table', tabindex: '0'}, h('table', {}, h('thead', {}, row('th', node.head)),
               h('tbody', {}, node.rows.map((texts) => row('td', texts)))));
    }
    case 'code':
      return h('figure', {class: 'code'},
               h('figcaption', {}, h('span', {}, node.language || 'text'), copyButton(() => node.text, 'Copy the code')),
               h('pre', {tabindex: '0'}, h('code', {}, node.text)));
    default: return h('p', {}, inline(node.text));
  }
}

// Shows a text that grows: only blocks whose source has changed are made anew.
export class MarkdownView {
  #sources = [];

  constructor(element) { this.element = element; }

  show(text) {
    const blocks = parseBlocks(text);
    const nodes = this.element.children;
    for (let i = 0; i < blocks.length; i++) {
      const source = blocks[i].source + (blocks[i].open ? '\0open' : '');
      if (this.#sources[i] === source) continue;
      const fresh = block(blocks[i]);
      if (nodes[i]) nodes[i].replaceWith(fresh);
      else this.element.append(fresh);
      this.#sources[i] = source;
    }
    while (nodes.length > blocks.length) this.element.lastChild.remove();
    this.#sources.length = blocks.length;
  }
}
