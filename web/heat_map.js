// How evenly a model's experts work: a row per layer, a cell per expert, its colour by the expert's
// share of the layer's tokens.
import {svg} from './dom.js';

// Shares relative to an even load (1 = as many tokens as the mean); null for a layer without work.
export function relativeLoad(counts, before) {
  return counts.map((layer, l) => {
    const grown = layer.map((count, e) => Math.max(0, count - (before?.[l]?.[e] ?? 0)));
    const sum = grown.reduce((a, b) => a + b, 0);
    return sum ? grown.map((count) => count * grown.length / sum) : null;
  });
}

export class HeatMap {
  #shape = '';
  #cells = [];
  #loads = [];
  #chosen = null;

  constructor(element, told) {
    this.element = element;
    this.told = told;
  }

  // Counts [layers][experts] since the start, now and a while ago; returns a line about them.
  update(counts, before) {
    if (!counts) return '';
    const shape = counts.map((l) => l.length).join();
    if (shape !== this.#shape) this.#build(counts, shape);
    let loads = relativeLoad(counts, before);
    const idle = loads.every((l) => l === null);
    if (idle) loads = relativeLoad(counts, null);
    this.#loads = loads;
    loads.forEach((layer, l) => layer?.forEach((load, e) => this.#paint(this.#cells[l][e], load)));
    if (this.#chosen) this.#tell(...this.#chosen);
    const worst = Math.max(...loads.filter((l) => l).map((l) => Math.max(...l)));
    if (!Number.isFinite(worst)) return 'No token has met an expert yet.';
    return `${idle ? 'Since the start' : 'Last minute'} · the busiest expert works ${worst.toFixed(1)} times the mean`;
  }

  #paint(cell, load) {
    // One colour up to twice the mean, another from there to four times, where it is full.
    const over = load > 2;
    cell.classList.toggle('over', over);
    cell.classList.toggle('hot', !over);
    cell.setAttribute('fill-opacity', (over ? .55 + .45 * Math.min(1, (load - 2) / 2) : .04 + .42 * load).toFixed(3));
  }

  #build(counts, shape) {
    this.#shape = shape;
    this.#chosen = null;
    const columns = Math.max(...counts.map((l) => l.length));
    const size = columns <= 16 ? 34 : columns <= 64 ? 17 : 9;
    const high = Math.max(9, Math.min(size, Math.floor(460 / counts.length)));
    const left = 30, width = left + columns * size, height = counts.length * high + 18;
    this.#cells = counts.map((layer, l) => layer.map((_, e) =>
      svg('rect', {x: left + e * size, y: l * high, width: size - 1, height: high - 1, rx: 1.5, 'data-at': `${l},${e}`})));
    const every = Math.max(1, Math.ceil(14 / high));
    const labels = counts.map((_, l) => (l % every ? null
      : svg('text', {x: left - 6, y: l * high + high / 2 + 4, 'text-anchor': 'end'}, String(l))));
    const step = columns <= 16 ? 1 : columns <= 64 ? 8 : 16;
    const marks = [...Array(columns).keys()].filter((e) => e % step === 0).map((e) =>
      svg('text', {x: left + e * size + size / 2, y: height - 4, 'text-anchor': 'middle'}, String(e)));
    const background = counts.map((layer, l) => svg('rect',
      {class: 'cold', x: left, y: l * high, width: layer.length * size - 1, height: high - 1, rx: 1.5}));
    const picture = svg('svg', {viewBox: `0 0 ${width} ${height}`, width, height, preserveAspectRatio: 'xMinYMin', role: 'img', tabindex: '0',
      'aria-label': `Load of ${columns} experts in ${counts.length} layers; arrow keys read single ones`},
      background, ...this.#cells, labels, marks);
    picture.addEventListener('pointermove', (event) => {
      const at = event.target.dataset?.at;
      if (at) this.#choose(...at.split(',').map(Number));
    });
    picture.addEventListener('keydown', (event) => this.#onKey(event, counts));
    this.element.replaceChildren(picture);
  }

  #onKey(event, counts) {
    const step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
    if (!step) return;
    event.preventDefault();
    const [l, e] = this.#chosen ?? [0, -1];
    const layer = Math.max(0, Math.min(counts.length - 1, l + step[0]));
    this.#choose(layer, Math.max(0, Math.min(counts[layer].length - 1, e + step[1])));
  }

  #choose(l, e) {
    if (this.#chosen) this.#cells[this.#chosen[0]][this.#chosen[1]].classList.remove('chosen');
    this.#chosen = [l, e];
    this.#tell(l, e);
  }

  #tell(l, e) {
    this.#cells[l][e].classList.add('chosen');
    const load = this.#loads[l]?.[e];
    this.told.textContent = `Layer ${l}, expert ${e}: ${load === undefined ? 'no tokens' : `${load.toFixed(2)} times the mean`}`;
  }
}
