// What all client tests share: one server per test file, the name of its model, a tool and a schema
// that any model can satisfy in few tokens, because a grammar leaves it little choice.
import {after, before} from 'node:test';
import assert from 'node:assert/strict';
import {startServer} from '../serve/server.mjs';

const binary = process.env.TUTTI ?? '../../build/dev/bin/tutti';

// TUTTI_URL names a server that runs already.
export function useServer() {
  const server = {url: process.env.TUTTI_URL, model: ''};
  let own = null;
  before(async () => {
    if (!server.url) {
      own = await startServer(binary);
      server.url = own.url;
    }
    server.model = (await (await fetch(`${server.url}/v1/models`)).json()).data[0].id;
  });
  after(async () => {
    if (own) assert.equal(await own.stop(), 0, own.log());
  });
  return server;
}

export const SCHEMA = {
  type: 'object',
  properties: {city: {type: 'string', enum: ['Oz', 'Rome']}, dry: {type: 'boolean'}},
  required: ['city', 'dry'],
  additionalProperties: false,
};

export function assertObeysSchema(value) {
  assert.deepEqual(Object.keys(value).sort(), ['city', 'dry']);
  assert.ok(['Oz', 'Rome'].includes(value.city), value.city);
  assert.equal(typeof value.dry, 'boolean');
}

// Waits until the server computes nothing any more: what an abort must lead to.
export async function assertIdleSoon(server) {
  for (let tries = 0; tries < 100; tries++) {
    const live = await (await fetch(`${server.url}/v1/live`)).json();
    if (live.running === 0 && live.waiting === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail('the server still computes five seconds after the abort');
}
