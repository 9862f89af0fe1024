// One answer: the request's body, the stream, what it cost.
import {ApiError, streamJson} from './api.js';

// How much is written at once where a text is continued: its writer wants to read along.
const TEXT_TOKENS = 120;
const NUMBERS = ['temperature', 'top_p', 'top_k', 'min_p', 'presence_penalty', 'frequency_penalty', 'seed'];

function sampling(settings) {
  const fields = {};
  for (const name of NUMBERS) {
    if (settings[name] !== undefined && settings[name] !== '') fields[name] = Number(settings[name]);
  }
  if (settings.stop) fields.stop = [settings.stop];
  return fields;
}

const common = (model, settings) =>
  ({model, stream: true, stream_options: {include_usage: true}, ...sampling(settings)});

export function chatBody(conversation, settings) {
  const body = common(conversation.model, settings);
  body.messages = conversation.messages.filter((m) => m.content).map(({role, content}) => ({role, content}));
  if (conversation.system?.trim()) body.messages.unshift({role: 'system', content: conversation.system});
  if (settings.max_tokens) body.max_completion_tokens = Number(settings.max_tokens);
  return body;
}

export function textBody(model, prompt, settings) {
  return {...common(model, settings), prompt, max_tokens: Number(settings.max_tokens) || TEXT_TOKENS};
}

// Reads a streamed answer, of chat or of completions. `on` has text(piece), reasoning(piece) and
// progress(text), all optional. Returns the figures: {prompt, cached, generated, reasoning,
// firstMs, perS, thoughtMs, finish}.
export async function readAnswer(path, body, on, signal) {
  const begin = performance.now();
  const figures = {finish: ''};
  let first = 0, last = 0, pieces = 0;
  const note = () => { last = performance.now(); first ||= last; pieces++; };
  const settle = () => {
    if (!first) return;
    figures.firstMs = first - begin;
    const count = figures.generated ?? pieces;
    // Pieces that came at once say nothing about the speed between them.
    figures.perS = last - first > 50 ? (count - 1) / (last - first) * 1000 : count / (last - begin) * 1000;
  };
  try {
    for await (const event of streamJson(path, body, signal)) {
      if (event.comment !== undefined) { on.progress?.(event.comment); continue; }
      const {choices, usage} = event.data;
      const choice = choices?.[0];
      const thought = choice?.delta?.reasoning_content;
      const text = choice?.text ?? choice?.delta?.content;
      if (thought) { note(); on.reasoning?.(thought); }
      if (text) {
        note();
        if (figures.thoughtMs === undefined) figures.thoughtMs = last - begin;
        on.text?.(text);
      }
      if (choice?.finish_reason) figures.finish = choice.finish_reason;
      if (usage) {
        figures.prompt = usage.prompt_tokens;
        figures.cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
        figures.generated = usage.completion_tokens;
        figures.reasoning = usage.completion_tokens_details?.reasoning_tokens ?? 0;
      }
    }
  } catch (error) {
    if (error.name !== 'AbortError') throw error;
    figures.finish = 'stopped';
  } finally {
    settle();
  }
  return figures;
}

// Continues a text. Where it is longer than the model can see, the model gets its last part, as
// long as fits; `shortened` in the figures is how many characters it saw then.
export async function continueText(model, text, settings, on, signal) {
  for (let size = text.length;; size = Math.floor(size * 0.6)) {
    try {
      const figures = await readAnswer('/v1/completions', textBody(model, text.slice(-size), settings), on, signal);
      if (size < text.length) figures.shortened = size;
      return figures;
    } catch (error) {
      const tooLong = error instanceof ApiError && error.code === 'context_length_exceeded';
      if (!tooLong || size < 40) throw error;
    }
  }
}

const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
const tenth = new Intl.NumberFormat('en', {maximumFractionDigits: 1});

export const seconds = (ms) => (ms < 995 ? `${whole.format(ms)} ms` : `${tenth.format(ms / 1000)} s`);

// "48 tokens · 31.2 per second · first after 180 ms · prompt 512, 400 of them cached"
export function figuresText(f) {
  const parts = [];
  if (f.generated !== undefined) parts.push(`${whole.format(f.generated)} tokens`);
  if (f.perS) parts.push(`${(f.perS < 100 ? tenth : whole).format(f.perS)} per second`);
  if (f.firstMs) parts.push(`first after ${seconds(f.firstMs)}`);
  if (f.prompt) parts.push(`prompt ${whole.format(f.prompt)}${f.cached ? `, ${whole.format(f.cached)} cached` : ''}`);
  if (f.finish === 'length') parts.push('ended at the limit of tokens');
  if (f.finish === 'stopped') parts.push('stopped');
  if (f.shortened) parts.push(`the model saw the last ${whole.format(f.shortened)} characters`);
  return parts.join(' · ');
}
