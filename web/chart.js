// A time series on a canvas: lines or stacked areas, a crosshair that all charts of a page share.

import {h} from './dom.js';

const crosshair = {time: null, charts: new Set()};
function setCrosshair(time) {
  crosshair.time = time;
  for (const chart of crosshair.charts) chart.draw();
}

// The next of 1, 2, 2.5, 5 times a power of ten at or above `value`.
export function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((m) => m * power).find((v) => v >= value * (1 - 1e-9));
}

// Index of the last sample at or before `time`; -1 where there is none.
export function indexAt(samples, time) {
  let low = 0, high = samples.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (samples[middle].time <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// Options: title, series: [{name, value(sample) -> number or null}], stacked, top(samples) -> the
// axis' end (else the nice number above the largest), text(number). Samples have `time` in seconds
// and are the page's: the chart reads them.
export class Chart {
  constructor(options) {
    this.options = options;
    this.samples = [];
    this.span = 300;
    this.now = 0;
    this.values = options.series.map(() => h('b'));
    this.canvas = h('canvas', {tabindex: '0', role: 'img'});
    this.element = h('figure', {class: 'chart'},
      h('figcaption', {}, h('h2', {}, options.title), h('div', {class: 'legend'},
        options.series.map((s, i) => h('span', {class: `s${i}`}, `${s.name} `, this.values[i])))),
      this.canvas);
    crosshair.charts.add(this);
    this.canvas.addEventListener('pointermove', (e) => setCrosshair(this.timeAt(e.offsetX)));
    this.canvas.addEventListener('pointerleave', () => setCrosshair(null));
    this.canvas.addEventListener('blur', () => setCrosshair(null));
    this.canvas.addEventListener('keydown', (e) => this.onKey(e));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }

  update(samples, span, now) {
    Object.assign(this, {samples, span, now});
    this.draw();
  }

  timeAt(x) {
    return this.now - this.span + (x - 2) / Math.max(1, this.canvas.clientWidth - 4) * this.span;
  }

  onKey(event) {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!step || !this.samples.length) return;
    event.preventDefault();
    const at = crosshair.time === null ? this.samples.length - 1 : indexAt(this.samples, crosshair.time) + step;
    setCrosshair(this.samples[Math.max(0, Math.min(this.samples.length - 1, at))].time);
  }

  draw() {
    const {canvas, options, samples, span, now} = this;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const g = canvas.getContext('2d');
    g.scale(ratio, ratio);
    const shown = samples.slice(Math.max(0, indexAt(samples, now - span)));
    const rows = shown.map((s) => options.series.map((series) => series.value(s)));
    const largest = Math.max(0, ...rows.map((r) => (options.stacked ? r.reduce((a, b) => a + (b ?? 0), 0) : Math.max(...r.map((v) => v ?? 0)))));
    const top = options.top?.(shown) || niceCeiling(largest * 1.02);
    const box = {left: 2, right: width - 2, top: 18, bottom: height - 20};
    const x = (time) => box.left + (time - (now - span)) / span * (box.right - box.left);
    const y = (value) => box.bottom - Math.min(1, value / top) * (box.bottom - box.top);
    const colour = colours();
    drawGrid(g, box, top, span, options.text, colour);
    g.save();
    g.beginPath();
    g.rect(box.left, 0, box.right - box.left, height);
    g.clip();
    drawSeries(g, shown, rows, x, y, box, options.stacked, colour);
    g.restore();
    this.tell(shown, rows, x, box, g, colour);
  }

  // The figures in the legend: now, or under the crosshair.
  tell(shown, rows, x, box, g, colour) {
    let at = shown.length - 1;
    if (crosshair.time !== null && shown.length) {
      at = Math.max(0, indexAt(shown, crosshair.time));
      const px = Math.round(x(shown[at].time)) + .5;
      g.strokeStyle = colour.faint;
      g.beginPath(); g.moveTo(px, box.top); g.lineTo(px, box.bottom); g.stroke();
      g.fillStyle = colour.faint;
      g.textAlign = px > (box.left + box.right) / 2 ? 'right' : 'left';
      g.fillText(new Date(shown[at].time * 1000).toLocaleTimeString(), px + (g.textAlign === 'left' ? 5 : -5), box.top - 5);
    }
    const texts = this.options.series.map((s, i) => {
      const value = rows[at]?.[i];
      return value === null || value === undefined ? '–' : this.options.text(value);
    });
    this.values.forEach((element, i) => { element.textContent = texts[i]; });
    this.canvas.setAttribute('aria-label', `${this.options.title}: ${this.options.series.map((s, i) => `${s.name} ${texts[i]}`).join(', ')}`);
  }
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(name).trim();
  return {
    line: get('--line'), faint: get('--faint'), font: `11px ${get('--text')}`,
    series: [get('--accent'), get('--warm'), get('--strong-line')],
  };
}

function drawGrid(g, box, top, span, text, colour) {
  g.font = colour.font;
  g.lineWidth = 1;
  g.strokeStyle = colour.line;
  g.fillStyle = colour.faint;
  g.textAlign = 'left';
  for (const part of [0, .5, 1]) {
    const y = Math.round(box.bottom - part * (box.bottom - box.top)) + .5;
    g.beginPath(); g.moveTo(box.left, y); g.lineTo(box.right, y); g.stroke();
    if (part) g.fillText(text(top * part), box.left + 2, y - 4);
  }
  for (let i = 0; i <= 4; i++) {
    const ago = span * (4 - i) / 4;
    g.textAlign = i === 0 ? 'left' : i === 4 ? 'right' : 'center';
    g.fillText(ago === 0 ? 'now' : ago < 60 ? `${ago} s` : `${+(ago / 60).toFixed(2)} min`,
               box.left + (box.right - box.left) * i / 4, box.bottom + 14);
  }
}

// Each run of samples without a gap is one path; stacked areas stand on those before them.
function drawSeries(g, shown, rows, x, y, box, stacked, colour) {
  const count = rows[0]?.length ?? 0;
  const order = [...Array(count).keys()];
  if (stacked) order.reverse();
  for (const s of order) {
    const sum = (row, end) => row.slice(0, end).reduce((a, b) => a + (b ?? 0), 0);
    const level = (row) => (stacked ? sum(row, s + 1) : row[s]);
    for (let i = 0; i < rows.length;) {
      if (rows[i][s] === null || rows[i][s] === undefined) { i++; continue; }
      const begin = i;
      g.beginPath();
      for (; i < rows.length && rows[i][s] !== null && rows[i][s] !== undefined; i++) {
        g.lineTo(x(shown[i].time), y(level(rows[i])));
      }
      g.strokeStyle = g.fillStyle = colour.series[s];
      g.lineWidth = 1.6;
      g.lineJoin = 'round';
      g.stroke();
      if (stacked || s === 0) {
        for (let back = i - 1; back >= begin; back--) g.lineTo(x(shown[back].time), stacked ? y(sum(rows[back], s)) : box.bottom);
        g.globalAlpha = stacked ? .55 : .1;
        g.fill();
        g.globalAlpha = 1;
      }
    }
  }
}
