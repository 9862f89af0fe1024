import {test} from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import {assertIdleSoon, assertObeysSchema, SCHEMA, useServer} from './common.mjs';

const server = useServer();
const client = () => new OpenAI({baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0});
const messages = [{role: 'user', content: 'Once upon a time'}];
const greedy = () => ({model: server.model, messages, temperature: 0, max_completion_tokens: 12});
const TOOL = {type: 'function', function: {name: 'weather', parameters: SCHEMA, strict: true}};

function assertUsage(usage) {
  assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
}

test('models', async () => {
  const list = await client().models.list();
  assert.equal(list.data[0].id, server.model);
  assert.equal((await client().models.retrieve(server.model)).id, server.model);
});

test('chat, whole and as a stream, is the same text', async () => {
  const whole = await client().chat.completions.create(greedy());
  assert.equal(whole.choices[0].message.role, 'assistant');
  assert.ok(whole.choices[0].message.content.length > 0);
  assert.equal(whole.choices[0].finish_reason, 'length');
  assert.equal(whole.usage.completion_tokens, 12);
  assertUsage(whole.usage);

  const stream = client().chat.completions.stream({...greedy(), stream_options: {include_usage: true}});
  let text = '';
  stream.on('content', (delta) => { text += delta; });
  const final = await stream.finalChatCompletion();
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(final.choices[0].message.content, text);
  assert.equal(final.choices[0].finish_reason, 'length');
  assert.equal(final.usage.completion_tokens, 12);
  assert.equal(final.usage.prompt_tokens, whole.usage.prompt_tokens);
});

test('choices, seeds, stop', async () => {
  const two = await client().chat.completions.create({...greedy(), temperature: 1, n: 2, seed: 7});
  const again = await client().chat.completions.create({...greedy(), temperature: 1, n: 2, seed: 7});
  assert.deepEqual(two.choices.map((c) => c.index), [0, 1]);
  assert.deepEqual(two.choices.map((c) => c.message.content), again.choices.map((c) => c.message.content));
  const text = (await client().chat.completions.create(greedy())).choices[0].message.content;
  const word = text.slice(2, 5);
  const stopped = await client().chat.completions.create({...greedy(), stop: [word]});
  assert.equal(stopped.choices[0].message.content, text.slice(0, text.indexOf(word)));
  assert.equal(stopped.choices[0].finish_reason, 'stop');
});

test('logprobs', async () => {
  const answer = await client().chat.completions.create({...greedy(), logprobs: true, top_logprobs: 3});
  const {content} = answer.choices[0].logprobs;
  assert.equal(content.length, 12);
  for (const token of content) {
    assert.ok(token.logprob <= 0 && token.top_logprobs.length === 3);
    assert.equal(token.top_logprobs[0].token, token.token);  // greedy
  }
});

test('tools: required, named, streamed, and the way back', async () => {
  const request = {...greedy(), max_completion_tokens: 120, tools: [TOOL], tool_choice: 'required'};
  const whole = await client().chat.completions.create(request);
  assert.equal(whole.choices[0].finish_reason, 'tool_calls');
  const [call] = whole.choices[0].message.tool_calls;
  assert.equal(call.function.name, 'weather');
  assertObeysSchema(JSON.parse(call.function.arguments));

  const named = {...request, tool_choice: {type: 'function', function: {name: 'weather'}}};
  const stream = client().chat.completions.stream(named);
  let pieces = 0;
  stream.on('tool_calls.function.arguments.delta', () => pieces++);
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].finish_reason, 'tool_calls');
  assertObeysSchema(JSON.parse(final.choices[0].message.tool_calls[0].function.arguments));
  assert.ok(pieces > 1, `the arguments came in ${pieces} pieces`);

  const back = await client().chat.completions.create({...greedy(), messages: [
    {role: 'user', content: 'Hi'}, {role: 'assistant', content: null, tool_calls: [call]},
    {role: 'tool', tool_call_id: call.id, content: 'dry'}]});
  assert.ok(back.usage.completion_tokens > 0);
});

test('structured output', async () => {
  const format = {type: 'json_schema', json_schema: {name: 'answer', strict: true, schema: SCHEMA}};
  const request = {...greedy(), max_completion_tokens: 120, response_format: format};
  const whole = await client().chat.completions.create(request);
  assert.equal(whole.choices[0].finish_reason, 'stop');
  assertObeysSchema(JSON.parse(whole.choices[0].message.content));
  const parsed = await client().chat.completions.parse(request);
  assertObeysSchema(parsed.choices[0].message.parsed);
  const unsupported = {...SCHEMA, not: {required: ['city']}};
  const refused = client().chat.completions.create({...request,
    response_format: {type: 'json_schema', json_schema: {name: 'a', strict: true, schema: unsupported}}});
  await assert.rejects(refused, OpenAI.BadRequestError);
});

test('completions', async () => {
  const request = {model: server.model, prompt: 'Once upon a time', temperature: 0, max_tokens: 8};
  const whole = await client().completions.create(request);
  assertUsage(whole.usage);
  let text = '';
  for await (const chunk of await client().completions.create({...request, stream: true})) text += chunk.choices[0]?.text ?? '';
  assert.equal(text, whole.choices[0].text);
  const echo = await client().completions.create({...request, echo: true});
  assert.equal(echo.choices[0].text, `Once upon a time${text}`);
  const two = await client().completions.create({...request, prompt: ['Once upon a time', 'The king']});
  assert.equal(two.choices[0].text, text);
  assert.deepEqual(two.choices.map((c) => c.index), [0, 1]);
});

test('embeddings: numbers and base64 are the same', async () => {
  const input = ['Once upon a time', 'The king'];
  const packed = await client().embeddings.create({model: server.model, input});  // the client asks for base64
  const plain = await client().embeddings.create({model: server.model, input, encoding_format: 'float'});
  assert.equal(packed.data.length, 2);
  assert.ok(packed.data[0].embedding.length > 1);
  packed.data.forEach((entry, i) => entry.embedding.forEach((value, k) =>
    assert.ok(Math.abs(value - plain.data[i].embedding[k]) < 1e-6)));
  assert.ok(plain.usage.prompt_tokens > 0);
});

test('responses: whole, streamed, continued, read again, deleted', async () => {
  const request = {model: server.model, input: 'Once upon a time', temperature: 0, max_output_tokens: 12};
  const whole = await client().responses.create(request);
  assert.ok(whole.output_text.length > 0);
  assert.equal(whole.status, 'incomplete');
  assert.equal(whole.incomplete_details.reason, 'max_output_tokens');
  assert.equal(whole.usage.output_tokens, 12);

  const stream = client().responses.stream(request);
  let text = '';
  stream.on('response.output_text.delta', (event) => { text += event.delta; });
  const final = await stream.finalResponse();
  assert.equal(text, whole.output_text);
  assert.equal(final.output_text, text);

  const next = await client().responses.create({...request, input: 'And then?', previous_response_id: whole.id});
  assert.ok(next.usage.input_tokens > whole.usage.input_tokens);
  assert.equal((await client().responses.retrieve(whole.id)).output_text, text);
  assert.ok((await client().responses.inputItems.list(whole.id)).data.length > 0);
  await client().responses.delete(whole.id);
  await assert.rejects(client().responses.retrieve(whole.id), OpenAI.NotFoundError);
});

test('responses: tools and structured output', async () => {
  const request = {model: server.model, input: 'Hi', temperature: 0, max_output_tokens: 120};
  const tools = [{type: 'function', name: 'weather', parameters: SCHEMA, strict: true}];
  const called = await client().responses.create({...request, tools, tool_choice: 'required'});
  const call = called.output.find((item) => item.type === 'function_call');
  assert.equal(call.name, 'weather');
  assertObeysSchema(JSON.parse(call.arguments));
  const stream = client().responses.stream({...request, tools, tool_choice: 'required'});
  const pieces = [];
  stream.on('response.function_call_arguments.delta', (event) => pieces.push(event.delta));
  const streamed = (await stream.finalResponse()).output.find((item) => item.type === 'function_call');
  assert.equal(pieces.join(''), streamed.arguments);
  assert.ok(pieces.length > 1, `the arguments came in ${pieces.length} pieces`);
  const format = {type: 'json_schema', name: 'answer', strict: true, schema: SCHEMA};
  const final = await client().responses.stream({...request, text: {format}}).finalResponse();
  assert.equal(final.status, 'completed');
  assertObeysSchema(JSON.parse(final.output_text));
});

test('abort in a stream ends the work', async () => {
  const stream = await client().completions.create(
    {model: server.model, prompt: 'Once upon a time', stream: true, n: 8, ...{ignore_eos: true}});
  for await (const chunk of stream) {
    assert.ok(chunk.choices);
    stream.controller.abort();
  }
  await assertIdleSoon(server);
});

test('errors are those of the API', async () => {
  const rejects = async (change, kind, param) => {
    const error = await client().chat.completions.create({...greedy(), ...change}).then(() => null, (e) => e);
    assert.ok(error instanceof kind, `${JSON.stringify(change)}: ${error}`);
    if (param) assert.equal(error.param, param);
    assert.ok(error.requestID, 'no x-request-id');
    assert.equal(typeof error.message, 'string');
    return error;
  };
  assert.equal((await rejects({model: 'no-such'}, OpenAI.NotFoundError)).code, 'model_not_found');
  await rejects({temperature: -1}, OpenAI.BadRequestError, 'temperature');
  await rejects({messages: []}, OpenAI.BadRequestError, 'messages');
  await rejects({n: 1000}, OpenAI.BadRequestError, 'n');
  await rejects({max_completion_tokens: -5}, OpenAI.BadRequestError, 'max_completion_tokens');
  await rejects({tools: 'x'}, OpenAI.BadRequestError, 'tools');
  const long = await rejects({messages: [{role: 'user', content: 'king '.repeat(5000)}]}, OpenAI.BadRequestError);
  assert.equal(long.code, 'context_length_exceeded');
});
