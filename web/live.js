// The live page: asks /v1/live every second and draws what has changed. README.md has the contract.
import {getJson, getKey, setKey} from './api.js';
import {Chart} from './chart.js';
import {byId, drawIcons, h} from './dom.js';
import {HeatMap} from './heat_map.js';
import {between} from './live_samples.js';

const KEEP_S = 1800;
const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
const short = new Intl.NumberFormat('en', {maximumSignificantDigits: 3, notation: 'compact'});
const rate = (v) => (v >= 1000 ? short.format(v) : v >= 100 ? whole.format(v) : v.toFixed(1));
const percent = (v) => `${(v * 100).toFixed(v > 0 && v < .0995 ? 1 : 0)} %`;
const time = (s) => (s >= .9995 ? `${s.toFixed(2)} s` : `${whole.format(s * 1000)} ms`);

let answers = [];   // of /v1/live, at most KEEP_S seconds
let samples = [];   // what lies between two answers
let span = 60;
let paused = false;

const last = (count) => answers.at(-1 - Math.min(count, answers.length - 1));

const charts = [
  new Chart({title: 'Tokens per second', text: rate, series: [
    {name: 'generated', value: (s) => s.generatedPerS}, {name: 'prompts', value: (s) => s.promptPerS}]}),
  new Chart({title: 'Sequences', text: (v) => (Number.isInteger(v) ? whole.format(v) : v.toFixed(1)), series: [
    {name: 'in the batch', value: (s) => s.running}, {name: 'waiting', value: (s) => s.waiting}]}),
  new Chart({title: 'Memory for keys and values', text: percent, stacked: true, top: () => 1, series: [
    {name: 'in use', value: (s) => s.pagesUsed}, {name: 'kept for prefixes', value: (s) => s.pagesIdle}]}),
  new Chart({title: 'Prompts found in the prefix cache', text: percent, top: () => 1, series: [
    {name: 'found', value: (s) => s.prefixFound}]}),
];
const heat = new HeatMap(byId('heat'), byId('heat-told'));

function figure(name, value, unit, note) {
  return h('div', {}, h('dt', {}, name), h('dd', {}, value, unit && h('small', {}, unit),
           h('span', {class: 'note'}, note || '\u00a0')));
}

function showFigures() {
  const now = answers.at(-1);
  const recent = between(last(10), now) ?? {};
  const minute = between(last(60), now) ?? {};
  const used = now.pages.total - now.pages.free - now.pages.idle;
  byId('figures').replaceChildren(
    figure('Generated', rate(recent.generatedPerS ?? 0), 'tokens/s', `${short.format(now.generated_tokens)} since the start`),
    figure('In the batch', whole.format(now.running), now.running === 1 ? 'sequence' : 'sequences', recent.tokensPerStep ? `${rate(recent.tokensPerStep)} tokens per step` : ''),
    figure('Queue', whole.format(now.queued_requests), now.queued_requests === 1 ? 'request' : 'requests', `${short.format(now.queued_prompt_tokens)} tokens of prompts`),
    figure('First token', minute.firstTokenS === null || minute.firstTokenS === undefined ? '–' : time(minute.firstTokenS), '', 'mean of the last minute'),
    figure('Memory', percent(now.pages.total ? used / now.pages.total : 0), 'in use', `${whole.format(used)} of ${whole.format(now.pages.total)} pages`),
    figure('Prefix cache', minute.prefixFound === null || minute.prefixFound === undefined ? '–' : percent(minute.prefixFound), 'found', `${short.format(now.prefix.found_tokens)} tokens since the start`));
}

function show() {
  const now = answers.at(-1);
  if (!now) return;
  const up = now.uptime_s;
  const upText = up < 120 ? `${Math.floor(up)} s` : up < 5400 ? `${Math.floor(up / 60)} min` : up < 172800 ? `${(up / 3600).toFixed(1)} h` : `${Math.floor(up / 86400)} days`;
  byId('about').textContent = `${now.models.join(', ') || 'no model'} · up ${upText} · ${whole.format(now.requests_total)} requests`;
  showFigures();
  for (const chart of charts) chart.update(samples, span, now.time_s);
  const old = answers[Math.max(0, answers.findIndex((a) => a.time_s >= now.time_s - 60))];
  byId('experts-note').textContent = heat.update(now.experts, old.experts);
  byId('experts').hidden = !now.experts;
}

function take(answer) {
  const before = answers.at(-1);
  // A restarted server counts from zero again.
  if (before && (answer.uptime_s < before.uptime_s || answer.time_s <= before.time_s)) answers = [];
  const sample = between(answers.at(-1), answer);
  answers.push(answer);
  if (sample) {
    // Prompts are rarer than seconds: their share is that of the last ten.
    sample.prefixFound = between(last(10), answer).prefixFound;
    samples.push(sample);
  }
  const from = answer.time_s - KEEP_S;
  while (answers.length && answers[0].time_s < from) answers.shift();
  while (samples.length && samples[0].time < from) samples.shift();
}

function state(text, kind) {
  byId('state').textContent = text;
  byId('state').className = `state ${kind}`;
}

async function ask() {
  try {
    take(await getJson('/v1/live', AbortSignal.timeout(5000)));
    state('Live', 'good');
    byId('notice').hidden = true;
    show();
  } catch (error) {
    // A gap in the lines, so that no one takes the last figures for the present.
    if (answers.length) samples.push({time: Date.now() / 1000});
    answers = [];
    state(error.status === 401 || error.status === 403 ? 'Key needed' : 'No answer', 'lost');
    byId('notice').replaceChildren(error.message);
    byId('notice').hidden = false;
    if (error.status === 401 && !byId('key-dialog').open) byId('key-dialog').showModal();
  }
}

async function loop() {
  for (;;) {
    const begin = performance.now();
    if (!paused && !document.hidden && !byId('key-dialog').open) await ask();
    await new Promise((resolve) => setTimeout(resolve, Math.max(200, 1000 - (performance.now() - begin))));
  }
}

byId('charts').append(...charts.map((c) => c.element));
for (const radio of document.querySelectorAll('input[name=span]')) {
  radio.addEventListener('change', () => { span = Number(radio.value); show(); });
}
byId('pause').addEventListener('click', () => {
  paused = !paused;
  byId('pause').setAttribute('aria-pressed', paused);
  byId('pause').textContent = paused ? 'Go on' : 'Pause';
  if (paused) state('Paused', '');
});
byId('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  setKey(byId('key-field').value.trim());
  byId('key-dialog').close();
});
byId('key-field').value = getKey();
drawIcons();
loop();
