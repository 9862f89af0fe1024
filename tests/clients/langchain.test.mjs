import {test} from 'node:test';
import assert from 'node:assert/strict';
import {ChatOpenAI, OpenAI, OpenAIEmbeddings} from '@langchain/openai';
import {AIMessage, HumanMessage, ToolMessage} from '@langchain/core/messages';
import {assertIdleSoon, assertObeysSchema, SCHEMA, useServer} from './common.mjs';

const server = useServer();
const fields = (more) => ({
  model: server.model, apiKey: 'none', temperature: 0, maxRetries: 0,
  configuration: {baseURL: `${server.url}/v1`}, ...more,
});
const chat = (more) => new ChatOpenAI(fields({maxTokens: 12, ...more}));
const TOOL = {type: 'function', function: {name: 'weather', description: '', parameters: SCHEMA}};

test('chat, whole and as a stream', async () => {
  const whole = await chat().invoke('Once upon a time');
  assert.ok(whole.content.length > 0);
  assert.equal(whole.usage_metadata.output_tokens, 12);
  let last = null;
  for await (const chunk of await chat({streamUsage: true}).stream('Once upon a time')) last = last ? last.concat(chunk) : chunk;
  assert.equal(last.content, whole.content);
  assert.equal(last.usage_metadata.output_tokens, 12);
});

test('tools, whole, as a stream, and the way back', async () => {
  const bound = chat({maxTokens: 120}).bindTools([TOOL], {tool_choice: 'required'});
  const whole = await bound.invoke('Hi');
  assert.equal(whole.tool_calls[0].name, 'weather');
  assertObeysSchema(whole.tool_calls[0].args);
  let last = null;
  for await (const chunk of await bound.stream('Hi')) last = last ? last.concat(chunk) : chunk;
  assertObeysSchema(last.tool_calls[0].args);
  const back = await chat().invoke([new HumanMessage('Hi'), new AIMessage({content: '', tool_calls: whole.tool_calls}),
    new ToolMessage({content: 'dry', tool_call_id: whole.tool_calls[0].id})]);
  assert.ok(back.usage_metadata.output_tokens > 0);
});

test('structured output', async () => {
  for (const method of ['jsonSchema', 'functionCalling']) {
    const bound = chat({maxTokens: 120}).withStructuredOutput(SCHEMA, {name: 'weather', method, strict: true});
    assertObeysSchema(await bound.invoke('Hi'));
  }
});

test('completions', async () => {
  const text = await new OpenAI(fields({maxTokens: 8})).invoke('Once upon a time');
  assert.ok(text.length > 0);
});

test('embeddings', async () => {
  const vectors = await new OpenAIEmbeddings(fields()).embedDocuments(['Once upon a time', 'The king']);
  assert.equal(vectors.length, 2);
  assert.ok(vectors[0].length > 1);
});

test('the Responses API', async () => {
  const answer = await chat({useResponsesApi: true}).invoke('Once upon a time');
  assert.ok(answer.text.length > 0);
});

test('abort and errors', async () => {
  const controller = new AbortController();
  const read = async () => {
    const stream = await chat({maxTokens: 200}).stream('Once upon a time', {signal: controller.signal});
    for await (const chunk of stream) if (chunk.content) controller.abort();
  };
  await read().catch(() => {});
  await assertIdleSoon(server);
  const error = await chat({model: 'no-such'}).invoke('Hi').then(() => null, (e) => e);
  assert.equal(error.status, 404);
});
