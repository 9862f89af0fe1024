// This server's API: requests, the key, server-sent events.

const KEY = 'tutti.key';
export const getKey = () => sessionStorage.getItem(KEY) ?? '';
export function setKey(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

// `status` is HTTP's, 0 where the server was not reached.
export class ApiError extends Error {
  constructor(message, {status = 0, code = '', retryAfterS = 0, requestId = ''} = {}) {
    super(message);
    Object.assign(this, {status, code, retryAfterS, requestId});
  }
}

async function errorOf(response) {
  let error = {};
  const text = await response.text().catch(() => '');
  try { error = JSON.parse(text).error ?? {}; } catch { /* a proxy's page, perhaps */ }
  return new ApiError(error.message || `The server answered ${response.status} ${response.statusText}`.trim(), {
    status: response.status, code: error.code ?? '', retryAfterS: Number(response.headers.get('retry-after')) || 0,
    requestId: response.headers.get('x-request-id') ?? '',
  });
}

async function send(path, {body, signal} = {}) {
  const headers = {};
  if (getKey()) headers.authorization = `Bearer ${getKey()}`;
  if (body) headers['content-type'] = 'application/json';
  let response;
  try {
    response = await fetch(path, {
      method: body ? 'POST' : 'GET', headers, signal, cache: 'no-store', body: body && JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('The server cannot be reached. Is it still running?');
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

export async function getJson(path, signal) {
  return (await send(path, {signal})).json();
}

// Cuts bytes of an event stream into {data} and {comment}; lines may end anywhere in a piece.
export class EventParser {
  #rest = '';
  #data = [];

  push(text) {
    const events = [];
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length) events.push({data: this.#data.join('\n')});
        this.#data = [];
      } else if (line.startsWith(':')) {
        events.push({comment: line.slice(1).trim()});
      } else if (line.startsWith('data:')) {
        this.#data.push(line.slice(line[5] === ' ' ? 6 : 5));
      }
    }
    return events;
  }
}

// The events of a streamed answer: {data: object} or {comment}. Ends after [DONE]; an error that
// comes inside of the stream is thrown, so is a stream that breaks off.
export async function* streamJson(path, body, signal) {
  const response = await send(path, {body, signal});
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new ApiError('The connection broke before the answer ended.');
    }
    if (piece.done) throw new ApiError('The server ended the stream before the answer ended.');
    for (const event of parser.push(piece.value)) {
      if (event.comment !== undefined) { yield event; continue; }
      if (event.data === '[DONE]') return;
      const data = JSON.parse(event.data);
      if (data.error) throw new ApiError(data.error.message, {status: response.status, code: data.error.code ?? ''});
      yield {data};
    }
  }
}
