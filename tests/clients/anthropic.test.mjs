import {test} from 'node:test';
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import {assertIdleSoon, assertObeysSchema, SCHEMA, useServer} from './common.mjs';

const server = useServer();
const client = () => new Anthropic({baseURL: server.url, apiKey: 'none', maxRetries: 0});
const request = () => ({
  model: server.model, max_tokens: 12, temperature: 0, messages: [{role: 'user', content: 'Once upon a time'}],
});
const tools = [{name: 'weather', input_schema: SCHEMA}];

test('messages, whole and as a stream, are the same text', async () => {
  const whole = await client().messages.create(request());
  assert.equal(whole.role, 'assistant');
  assert.equal(whole.stop_reason, 'max_tokens');
  assert.equal(whole.usage.output_tokens, 12);
  const text = whole.content.find((block) => block.type === 'text').text;
  assert.ok(text.length > 0);

  const stream = client().messages.stream(request());
  let streamed = '';
  stream.on('text', (delta) => { streamed += delta; });
  const final = await stream.finalMessage();
  assert.equal(streamed, text);
  assert.equal(final.content.find((block) => block.type === 'text').text, text);
  assert.equal(final.stop_reason, 'max_tokens');
  assert.equal(final.usage.output_tokens, 12);
});

test('what Claude Code sends is accepted', async () => {
  const answer = await client().beta.messages.create({
    ...request(), betas: ['claude-code-20250219'], system: [{type: 'text', text: 'Be'}, {type: 'text', text: 'brief'}],
    metadata: {user_id: 'u'}, messages: [{role: 'user', content: [{type: 'text', text: 'Hi', cache_control: {type: 'ephemeral'}}]}],
  });
  assert.equal(answer.type, 'message');
});

test('stop sequences', async () => {
  const text = (await client().messages.create(request())).content[0].text;
  const word = text.slice(2, 5);
  const stopped = await client().messages.create({...request(), stop_sequences: [word]});
  assert.equal(stopped.stop_reason, 'stop_sequence');
  assert.equal(stopped.stop_sequence, word);
  assert.equal(stopped.content[0].text, text.slice(0, text.indexOf(word)));
});

test('tools: any, named, streamed, and the way back', async () => {
  const whole = await client().messages.create({...request(), max_tokens: 120, tools, tool_choice: {type: 'any'}});
  assert.equal(whole.stop_reason, 'tool_use');
  const use = whole.content.find((block) => block.type === 'tool_use');
  assert.equal(use.name, 'weather');
  assertObeysSchema(use.input);

  const stream = client().messages.stream({...request(), max_tokens: 120, tools,
    tool_choice: {type: 'tool', name: 'weather'}});
  let pieces = 0;
  stream.on('inputJson', () => pieces++);
  const final = await stream.finalMessage();
  assert.ok(pieces > 1, `the arguments came in ${pieces} pieces`);
  assert.equal(final.stop_reason, 'tool_use');
  assertObeysSchema(final.content.find((block) => block.type === 'tool_use').input);

  const back = await client().messages.create({...request(), messages: [
    {role: 'user', content: 'Hi'}, {role: 'assistant', content: [use]},
    {role: 'user', content: [{type: 'tool_result', tool_use_id: use.id, content: 'dry'}]}]});
  assert.ok(back.usage.output_tokens > 0);
});

test('count_tokens is what messages bills', async () => {
  const {model, messages} = request();
  const counted = await client().messages.countTokens({model, messages});
  const {usage} = await client().messages.create(request());
  assert.equal(counted.input_tokens, usage.input_tokens + (usage.cache_read_input_tokens ?? 0));
});

test('abort in a stream ends the work', async () => {
  const stream = client().messages.stream({...request(), max_tokens: 200});
  await new Promise((resolve) => stream.once('streamEvent', resolve));
  stream.abort();
  await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError);
  await assertIdleSoon(server);
});

test('errors are those of the API', async () => {
  const fails = (change) => client().messages.create({...request(), ...change}).then(() => null, (e) => e);
  const unknown = await fails({model: 'no-such'});
  assert.ok(unknown instanceof Anthropic.NotFoundError, String(unknown));
  assert.equal(unknown.error.type, 'error');
  assert.equal(unknown.error.error.type, 'not_found_error');
  assert.ok(unknown.requestID, 'no request-id');
  for (const change of [{temperature: -1}, {messages: []}, {max_tokens: 0}, {tools: 'x'}]) {
    const error = await fails(change);
    assert.ok(error instanceof Anthropic.BadRequestError, `${JSON.stringify(change)}: ${error}`);
    assert.equal(error.error.error.type, 'invalid_request_error');
  }
});
