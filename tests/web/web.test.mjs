// Both pages in a real browser. Screenshots go to build/web (SHOTS=folder), for people to look at.
import {after, afterEach, before, test} from 'node:test';
import assert from 'node:assert/strict';
import {mkdirSync} from 'node:fs';
import {chromium} from 'playwright-core';
import {startServer} from '../serve/server.mjs';
import {json, sleep, startOddServer, streamChat} from './odd_server.mjs';

const binary = process.env.TUTTI ?? '../../build/dev/bin/tutti';
const shots = process.env.SHOTS ?? '../../build/web';
const LOOKS = {
  light: {viewport: {width: 1280, height: 800}, colorScheme: 'light'},
  dark: {viewport: {width: 1280, height: 800}, colorScheme: 'dark'},
  phone: {viewport: {width: 390, height: 844}, colorScheme: 'light', deviceScaleFactor: 2, isMobile: true, hasTouch: true},
};
let server, odd, browser;
let open = [];      // contexts of the test
let complaints = [];  // of the browser: errors of scripts, of the policy, requests to elsewhere

before(async () => {
  mkdirSync(shots, {recursive: true});
  server = process.env.TUTTI_URL ? {url: process.env.TUTTI_URL, stop: () => 0, log: () => ''} : await startServer(binary);
  odd = await startOddServer(server.url);
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid() === 0 ? ['--no-sandbox'] : [],
  });
});
after(async () => {
  await browser?.close();
  odd?.stop();
  assert.equal(await server?.stop(), 0, server?.log());
});
afterEach(async () => {
  for (const context of open) await context.close();
  open = [];
  odd.reset();
  const found = complaints;
  complaints = [];
  assert.deepEqual(found, []);
});

async function visit(path, look = 'light') {
  const context = await browser.newContext({...LOOKS[look], permissions: ['clipboard-read', 'clipboard-write']});
  open.push(context);
  const page = await context.newPage();
  page.setDefaultTimeout(120000);  // on a machine that does much else
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  page.on('console', (message) => {
    // An answer of 4xx is logged by the browser, not by the page.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!/^(blob:|data:)/.test(request.url()) && !request.url().startsWith(odd.url)) complaints.push(request.url());
  });
  await page.goto(odd.url + path);
  return page;
}

async function visitChat(look) {
  const page = await visit('/', look);
  await page.waitForFunction(() => document.querySelector('#model').options.length > 0);
  await page.check('input[name=mode][value=chat]', {force: true});
  return page;
}

async function ask(page, text, {wait = true} = {}) {
  await page.fill('#composer-text', text);
  await page.press('#composer-text', 'Enter');
  if (wait) await page.waitForFunction(() => document.querySelector('#send:not([hidden])') && !document.querySelector('.live'));
}

const answers = (page) => page.locator('.answer .words.md').allInnerTexts();
// Short answers, the same every time.
const briefly = async (page) => {
  await page.click('#settings-open');
  await page.fill('[name=temperature]', '0');
  await page.fill('[name=max_tokens]', '24');
  await page.click('#settings-close');
};

test('a conversation with the embedded model: answers, edit, retry, history', async () => {
  const page = await visitChat();
  await briefly(page);
  await ask(page, 'Tell me of the king');
  const [first] = await answers(page);
  assert.ok(first.length > 0);
  assert.match(await page.locator('.answer .meta').innerText(), /^24 tokens · .* per second · first after .* · prompt \d+/);
  await ask(page, 'And the queen?');
  assert.equal((await answers(page)).length, 2);

  await page.locator('.answer').first().hover();
  await page.locator('.answer').first().getByLabel('Answer again').click();
  await page.waitForFunction(() => document.querySelector('#send:not([hidden])') && !document.querySelector('.live'));
  assert.deepEqual(await answers(page), [first], 'greedy, so the same; what followed is gone');

  await page.press('#composer-text', 'ArrowUp');
  await page.fill('.editing textarea', 'Tell me of the witch');
  await page.press('.editing textarea', 'Enter');
  await page.waitForFunction(() => document.querySelector('#send:not([hidden])') && !document.querySelector('.live'));
  assert.deepEqual(await page.locator('.said .words').allInnerTexts(), ['Tell me of the witch']);
  const [edited] = await answers(page);

  await page.reload();
  await page.waitForSelector('#list .entry');
  assert.deepEqual(await page.locator('#list .entry').allInnerTexts(), ['Tell me of the witch']);
  await page.click('#list .entry');
  assert.deepEqual(await answers(page), [edited]);
  await page.locator('#list li').hover();
  await page.getByLabel('Delete “Tell me of the witch”').click();
  await page.waitForFunction(() => !document.querySelector('#list .entry'));  // once the browser's store has forgotten it
  await page.getByRole('button', {name: 'Undo'}).last().click();
  await page.waitForSelector('#list .entry');
});

test('a text is continued, taken back, continued otherwise', async () => {
  const page = await visit('/');
  await page.waitForFunction(() => document.querySelector('#model').options.length > 0);
  assert.ok(await page.isChecked('input[name=mode][value=text]'), 'the embedded model has no chat template');
  const begin = 'Once upon a time';
  const grown = async () => {
    await page.waitForSelector('#page-go:not([hidden])');
    return page.inputValue('#sheet-text');
  };
  await briefly(page);
  await page.fill('#sheet-text', begin);
  await page.press('#sheet-text', 'Control+Enter');
  const text = await grown();
  assert.ok(text.startsWith(begin) && text.length > begin.length + 10, text);
  assert.equal(await page.locator('.sheet-mirror mark').textContent(), text.slice(begin.length));
  assert.match(await page.locator('#sheet-meta').innerText(), /tokens/);
  await page.click('#page-undo');
  assert.equal(await page.inputValue('#sheet-text'), begin);
  assert.ok(await page.isDisabled('#page-undo'));
  await page.click('#page-go');
  await grown();
  // Longer than the model can see: the last part is continued, and the page says so.
  const long = 'The king went to the Emerald City. '.repeat(60);
  await page.fill('#sheet-text', long);
  await page.click('#page-go');
  assert.ok((await grown()).length > long.length);
  assert.match(await page.locator('#sheet-meta').innerText(), /the model saw the last \d+ characters/);
});

test('markdown, code and hostile text are shown, not obeyed', async () => {
  const page = await visitChat();
  const text = '# Title\n\nSome **bold** `code`.\n\n```js\nlet x = 1;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n' +
      '<img src=x onerror="alert(1)"> <script>alert(2)</script> [bad](javascript:alert(3)) [good](https://example.org/)';
  odd.on('/v1/chat/completions', ({response}) => streamChat(response, text.match(/[^]{1,3}/g).map((content) => ({content}))));
  await ask(page, 'Hi');
  const words = page.locator('.answer .words.md');
  assert.equal(await words.locator('h3').innerText(), 'Title');
  assert.equal(await words.locator('pre code').innerText(), 'let x = 1;');
  assert.equal(await words.locator('td').count(), 2);
  assert.equal(await words.locator('img, script').count(), 0);
  assert.deepEqual(await words.locator('a').evaluateAll((links) => links.map((a) => a.href)), ['https://example.org/']);
  assert.ok((await words.innerText()).includes('<script>alert(2)</script>'));
  await page.getByLabel('Copy the code').click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'let x = 1;');
});

test('reasoning is folded, prefill is told, stop stops', async () => {
  const page = await visitChat();
  let gone = false;
  odd.on('/v1/chat/completions', async ({response}) => {
    response.on('close', () => { gone = true; });
    await streamChat(response, [{reasoning_content: 'Let me '}, {reasoning_content: 'think.'},
      ...Array(400).fill({content: 'word '})], {pauseMs: 50, comments: ['prefill 10%', 'prefill 42%', 'prefill 42%', 'prefill 42%', 'prefill 42%']});
  });
  await ask(page, 'Hi', {wait: false});
  await page.getByText('Reading the prompt, 42 %').waitFor();
  await page.getByText('word word word').waitFor();
  assert.equal(await page.locator('.thought .words').isVisible(), false);
  await page.keyboard.press('Escape');
  await page.locator('.meta', {hasText: 'stopped'}).waitFor();
  for (let tries = 0; !gone && tries < 50; tries++) await sleep(50);
  assert.ok(gone, 'the connection was closed');
  await page.click('.thought summary');
  assert.equal(await page.locator('.thought .words').innerText(), 'Let me think.');
});

test('errors are told, and what was written is kept', async () => {
  const page = await visitChat();
  const error = (status, code, message) => ({response}) =>
    json(response, status, {error: {message, type: 'x', param: null, code}}, {'retry-after': '3', 'x-request-id': 'req-77'});
  odd.on('/v1/chat/completions', error(429, 'rate_limit_exceeded', 'The queue is full.'));
  await ask(page, 'Hello there');
  const trouble = page.locator('.trouble');
  assert.match(await trouble.innerText(), /The queue is full\.[^]*again in 3 s[^]*req-77/);
  odd.on('/v1/chat/completions', error(400, 'context_length_exceeded', 'Too long.'));
  await trouble.getByRole('button', {name: 'Try again'}).click();
  await page.getByText('Shorten the conversation').waitFor();
  odd.on('/v1/chat/completions', ({response}) => response.destroy());
  await trouble.getByRole('button', {name: 'Try again'}).click();
  await page.getByText('cannot be reached').waitFor();
  odd.on('/v1/chat/completions', ({response}) => streamChat(response, [{content: 'Half an '}], {end: false}));
  await trouble.getByRole('button', {name: 'Try again'}).click();
  await page.getByText('before the answer ended').waitFor();
  assert.deepEqual(await answers(page), ['Half an'], 'what had come stays');
  odd.on('/v1/chat/completions', ({response}) => streamChat(response, [{content: 'All of it.'}]));
  await trouble.getByRole('button', {name: 'Try again'}).click();
  await page.getByText('All of it.').waitFor();
  assert.equal(await page.locator('.trouble:visible').count(), 0);
  assert.deepEqual(await page.locator('.said .words').allInnerTexts(), ['Hello there']);
});

test('a server with keys asks for one, and only the tab keeps it', async () => {
  const guard = (then) => async (exchange) => {
    if (exchange.request.headers.authorization === 'Bearer tt-good') return then(exchange);
    return json(exchange.response, 401, {error: {message: 'This key is not known.', type: 'authentication_error', param: null, code: 'invalid_api_key'}});
  };
  odd.on('/v1/models', guard(({response}) => json(response, 200, {data: [{id: 'm', has_chat_template: true}]})));
  odd.on('/v1/chat/completions', guard(({response}) => streamChat(response, [{content: 'Welcome.'}])));
  const page = await visit('/');
  await page.fill('#key-field', 'tt-bad');
  await page.press('#key-field', 'Enter');
  await page.getByText('Enter another one').waitFor();
  await page.fill('#key-field', 'tt-good');
  await page.press('#key-field', 'Enter');
  await page.waitForFunction(() => document.querySelector('#model').value === 'm');
  await ask(page, 'Hi');
  assert.deepEqual(await answers(page), ['Welcome.']);
  const kept = await page.evaluate(() => [JSON.stringify(localStorage), sessionStorage.getItem('tutti.key')]);
  assert.ok(!kept[0].includes('tt-good'));
  assert.equal(kept[1], 'tt-good');
});

test('settings and system prompt reach the server', async () => {
  const page = await visitChat();
  let seen = null;
  odd.on('/v1/chat/completions', ({response, body}) => { seen = body; return streamChat(response, [{content: 'x'}]); });
  await page.keyboard.press('Alt+s');
  await page.fill('[name=system]', 'Be brief.');
  for (const [name, value] of Object.entries({temperature: '0.5', top_k: '7', seed: '3', max_tokens: '9', stop: 'END'})) await page.fill(`[name=${name}]`, value);
  await page.keyboard.press('Escape');
  await ask(page, 'Hi');
  assert.deepEqual(seen.messages, [{role: 'system', content: 'Be brief.'}, {role: 'user', content: 'Hi'}]);
  assert.deepEqual([seen.temperature, seen.top_k, seen.seed, seen.max_completion_tokens, seen.stop], [0.5, 7, 3, 9, ['END']]);
  assert.equal(seen.top_p, undefined);
});

test('the live page shows what the server says', async () => {
  const work = new AbortController();
  const model = (await (await fetch(`${server.url}/v1/models`)).json()).data[0].id;
  const keepBusy = (async () => {
    while (!work.signal.aborted) {
      await fetch(`${server.url}/v1/completions`, {method: 'POST', headers: {'content-type': 'application/json'}, signal: work.signal,
        body: JSON.stringify({model, prompt: 'Once upon a time', n: 4, max_tokens: 200, ignore_eos: true})}).then((r) => r.text()).catch(() => {});
    }
  })();
  const page = await visit('/live');
  await page.waitForFunction(() => document.querySelectorAll('.figures dd').length === 6);
  await page.waitForFunction(() => parseFloat(document.querySelector('.figures dd').innerText) > 0);
  const live = await (await fetch(`${server.url}/v1/live`)).json();
  assert.equal(await page.locator('#about').innerText().then((t) => t.split(' · ')[0]), live.models.join(', '));
  const drawn = await page.locator('canvas').evaluateAll((all) => all.map((c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v)));
  assert.deepEqual(drawn, [true, true, true, true]);
  assert.match(await page.locator('canvas').first().getAttribute('aria-label'), /^Tokens per second: generated \d/);
  if (live.experts) {
    const cells = live.experts.reduce((sum, layer) => sum + layer.length, 0);
    assert.equal(await page.locator('#heat rect[data-at]').count(), cells);
    await page.focus('#heat svg');
    await page.keyboard.press('ArrowRight');
    assert.match(await page.locator('#heat-told').innerText(), /^Layer 0, expert 0/);
  } else {
    assert.equal(await page.locator('#experts').isVisible(), false);
  }
  work.abort();
  await keepBusy;
  odd.on('/v1/live', ({response}) => response.destroy());
  await page.getByText('No answer').waitFor();
});

// WCAG 2: 4.5 for text.
const lowContrast = () => {
  const parse = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!text || !element.checkVisibility({opacityProperty: true, visibilityProperty: true}) || element.closest('[aria-hidden=true], :disabled, .skip')) continue;
    let back = [255, 255, 255];
    for (let e = element; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length && (c.length < 4 || c[3] > .99)) { back = c; break; }
    }
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(back)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) found.push(`${element.tagName}.${element.className}: ${ratio.toFixed(2)} ${element.textContent.slice(0, 30)}`);
  }
  return found;
};
const nameless = () => [...document.querySelectorAll('button, a, input, select, textarea, canvas, [role=img]')]
  .filter((e) => e.checkVisibility({visibilityProperty: true}) && !(e.innerText?.trim() || e.getAttribute('aria-label') || e.labels?.length))
  .map((e) => e.outerHTML.slice(0, 120));
const outside = () => [...document.querySelectorAll('body *')]
  .filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.closest('pre, .table, #heat, .visually-hidden, .skip'))
  .filter((e) => { const r = e.getBoundingClientRect(); return r.width && (r.right > innerWidth + 1 || r.left < -1); })
  .map((e) => e.outerHTML.slice(0, 120));

async function assertPresentable(page) {
  assert.deepEqual(await page.evaluate(lowContrast), []);
  assert.deepEqual(await page.evaluate(nameless), []);
  assert.deepEqual(await page.evaluate(outside), []);
}

const ANSWER = 'Two ways, both short:\n\n1. Read the file **line by line**.\n2. Keep a running total.\n\n```python\ndef total(path: str) -> int:\n' +
    '    with open(path) as lines:\n        return sum(int(line) for line in lines if line.strip())\n```\n\n| step | time | memory |\n| --- | ---: | ---: |\n' +
    '| read | 12 ms | 4 KiB |\n| sum | 3 ms | 0 |\n\n> It never holds more than one line.\n';

for (const look of Object.keys(LOOKS)) {
  test(`pictures, contrast, names, width: ${look}`, async () => {
    const page = await visitChat(look);
    const shot = async (name) => {
      await assertPresentable(page);
      await page.screenshot({path: `${shots}/${look}-${name}.png`});
    };
    await shot('empty');
    odd.on('/v1/chat/completions', ({response}) => streamChat(response, [{reasoning_content: 'A sum.'}, ...ANSWER.match(/[^]{1,4}/g).map((content) => ({content}))]));
    await ask(page, 'How do I add up the numbers in a file?');
    await sleep(300);
    await shot('chat');
    await page.click('#settings-open');
    await shot('settings');
    await page.click('#settings-close');
    if (look === 'phone') {
      await page.click('#side-open');
      await sleep(400);
      await shot('side');
      await page.click('#side-close');
      await sleep(400);
    }
    odd.on('/v1/chat/completions', ({response}) => json(response, 429, {error: {message: 'The queue is full: 1,024 requests wait.', code: 'x'}}, {'retry-after': '3'}));
    await ask(page, 'And now?');
    await shot('error');
    await briefly(page);
    await page.check('input[name=mode][value=text]', {force: true});
    await page.fill('#sheet-text', 'Once upon a time');
    await page.click('#page-go');
    await page.waitForSelector('#page-go:not([hidden])');
    await shot('text');
    await page.goto(`${odd.url}/live`);
    await page.waitForFunction(() => document.querySelectorAll('.figures dd').length === 6);
    await sleep(2500);
    await assertPresentable(page);
    await page.screenshot({path: `${shots}/${look}-live.png`, fullPage: true});
  });
}
