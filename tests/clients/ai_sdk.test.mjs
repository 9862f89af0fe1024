import {test} from 'node:test';
import assert from 'node:assert/strict';
import {APICallError, embedMany, generateText, jsonSchema, Output, streamText, tool} from 'ai';
import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
import {createOpenAI} from '@ai-sdk/openai';
import {createAnthropic} from '@ai-sdk/anthropic';
import {assertIdleSoon, assertObeysSchema, SCHEMA, useServer} from './common.mjs';

const server = useServer();
const compatible = () => createOpenAICompatible(
  {name: 'tutti', baseURL: `${server.url}/v1`, includeUsage: true, supportsStructuredOutputs: true});
const openai = () => createOpenAI({baseURL: `${server.url}/v1`, apiKey: 'none'});
const anthropic = () => createAnthropic({baseURL: `${server.url}/v1`, apiKey: 'none'});
const MODELS = {
  compatible: () => compatible()(server.model),
  'openai chat': () => openai().chat(server.model),
  'openai responses': () => openai().responses(server.model),
  anthropic: () => anthropic()(server.model),
};
const schema = jsonSchema(SCHEMA);
const options = (model) => ({model: model(), prompt: 'Once upon a time', temperature: 0, maxRetries: 0});

for (const [name, model] of Object.entries(MODELS)) {
  test(`${name}: text, whole and as a stream`, async () => {
    const whole = await generateText({...options(model), maxOutputTokens: 12});
    assert.ok(whole.text.length > 0);
    assert.equal(whole.finishReason, 'length');
    assert.equal(whole.usage.outputTokens, 12);
    assert.ok(whole.usage.inputTokens > 0);
    const stream = streamText({...options(model), maxOutputTokens: 12});
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    assert.equal(text, whole.text);
    assert.equal(await stream.finishReason, 'length');
    assert.equal((await stream.usage).outputTokens, 12);
  });

  test(`${name}: tools, whole and as a stream`, async () => {
    const tools = {weather: tool({inputSchema: schema})};
    const request = {...options(model), maxOutputTokens: 120, tools, toolChoice: 'required'};
    const whole = await generateText(request);
    assert.equal(whole.finishReason, 'tool-calls');
    assertObeysSchema(whole.toolCalls[0].input);
    const stream = streamText(request);
    let pieces = 0;
    for await (const part of stream.fullStream) if (part.type === 'tool-input-delta') pieces++;
    assert.ok(pieces > 1, `the arguments came in ${pieces} pieces`);
    const [call] = await stream.toolCalls;
    assert.equal(call.toolName, 'weather');
    assertObeysSchema(call.input);
    assert.equal(await stream.finishReason, 'tool-calls');
  });

  test(`${name}: errors`, async () => {
    const good = server.model;
    server.model = 'no-such';
    const error = await generateText(options(model)).then(() => null, (e) => e);
    server.model = good;
    assert.ok(APICallError.isInstance(error), String(error));
    assert.equal(error.statusCode, 404);
    assert.match(error.message, /no-such/);
  });

  test(`${name}: abort`, async () => {
    const controller = new AbortController();
    const stream = streamText({...options(model), maxOutputTokens: 200, abortSignal: controller.signal, onError() {}});
    for await (const part of stream.fullStream) {
      if (part.type === 'text-delta') controller.abort();
    }
    await assertIdleSoon(server);
  });
}

for (const name of ['compatible', 'openai chat', 'openai responses']) {
  test(`${name}: structured output`, async () => {
    const answer = await generateText(
      {...options(MODELS[name]), maxOutputTokens: 120, output: Output.object({schema})});
    assertObeysSchema(answer.output);
  });
}

test('embeddings', async () => {
  const values = ['Once upon a time', 'The king'];
  const one = await embedMany({model: compatible().embeddingModel(server.model), values});
  const two = await embedMany({model: openai().embedding(server.model), values});
  assert.equal(one.embeddings.length, 2);
  assert.deepEqual(one.embeddings, two.embeddings);
});
