// A server between the browser and tutti that can misbehave: it hands everything on, but for routes
// that a test has taken over with odd.on(path, handler).
import {createServer} from 'node:http';
import {Readable} from 'node:stream';

export async function startOddServer(target) {
  const handlers = new Map();
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const {pathname} = new URL(request.url, 'http://x');
    const handler = handlers.get(pathname);
    if (handler) {
      await handler({request, response, body: body.length ? JSON.parse(body) : null});
      return;
    }
    const {host, connection, ...headers} = request.headers;
    if (headers.origin) headers.origin = target;  // the page is the target's own
    const answer = await fetch(target + request.url,
                               {method: request.method, headers, body: body.length ? body : undefined});
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body) Readable.fromWeb(answer.body).on('error', () => response.destroy()).pipe(response);
    else response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    on: (path, handler) => handlers.set(path, handler),
    reset: () => handlers.clear(),
    stop: () => { server.closeAllConnections?.(); server.close(); },
  };
}

export const json = (response, status, value, headers = {}) => {
  response.writeHead(status, {'content-type': 'application/json', ...headers});
  response.end(JSON.stringify(value));
};

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Streams `deltas` (each an object of the chat API's delta) as a chat answer.
export async function streamChat(response, deltas, {pauseMs = 0, comments = [], end = true} = {}) {
  response.writeHead(200, {'content-type': 'text/event-stream'});
  for (const comment of comments) {
    response.write(`: ${comment}\n\n`);
    await sleep(pauseMs);
  }
  const write = (chunk) => response.write(`data: ${JSON.stringify({id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', ...chunk})}\n\n`);
  write({choices: [{index: 0, delta: {role: 'assistant', content: ''}, finish_reason: null}]});
  for (const delta of deltas) {
    if (response.destroyed) return;
    write({choices: [{index: 0, delta, finish_reason: null}]});
    if (pauseMs) await sleep(pauseMs);
  }
  if (!end) {
    await sleep(200);  // what was written has left
    response.destroy();
    return;
  }
  write({choices: [{index: 0, delta: {}, finish_reason: 'stop'}]});
  write({choices: [], usage: {prompt_tokens: 40, completion_tokens: deltas.length, total_tokens: 40 + deltas.length, prompt_tokens_details: {cached_tokens: 32}}});
  response.end('data: [DONE]\n\n');
}
