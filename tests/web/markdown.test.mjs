// The markdown of the chat page, without a browser.
import {test} from 'node:test';
import assert from 'node:assert/strict';
import {parseBlocks, parseInline, safeHref} from '../../web/markdown.js';
import {EventParser} from '../../web/api.js';
import {between} from '../../web/live_samples.js';

const types = (text) => parseBlocks(text).map((b) => b.type).join(' ');
// The tree of a paragraph as text: *em* **strong** `code` [link|href].
function told(text) {
  const one = (n) => {
    if (typeof n === 'string') return n;
    switch (n.type) {
      case 'code': return `<code ${n.text}>`;
      case 'break': return '<br>';
      case 'link': return `<a ${n.href} ${n.children.map(one).join('')}>`;
      default: return `<${n.type} ${n.children.map(one).join('')}>`;
    }
  };
  return parseInline(text).map(one).join('');
}

test('blocks', () => {
  assert.equal(types('# a\n\ntext\nmore\n\n- x\n- y\n\n1. z\n\n> q\n\n---\n```js\ncode\n```\nend'),
               'heading paragraph list list quote rule code paragraph');
  assert.equal(types('a\n| b | c |\n| --- | :-: |\n| 1 | 2 |'), 'paragraph table');
  const [code] = parseBlocks('```python\nx = "```"\n  y\n\n```');
  assert.deepEqual({...code, source: ''}, {type: 'code', language: 'python', text: 'x = "```"\n  y\n', open: false, source: ''});
  assert.equal(parseBlocks('```\nstill open')[0].open, true);
  const [table] = parseBlocks('| a | b |\n|---|--:|\n| `x|y` | \\| |\n| 1 |');
  assert.deepEqual(table.rows, [['`x|y`', '|'], ['1']]);
  assert.deepEqual(table.align, ['left', 'right']);
  const [list] = parseBlocks('3. a\n   - b\n   - c\n\n   more\n4. d');
  assert.equal(list.start, 3);
  assert.equal(list.items.length, 2);
  assert.deepEqual(list.items[0].map((b) => b.type), ['paragraph', 'list', 'paragraph']);
  assert.equal(parseBlocks('# C# is nice #')[0].text, 'C# is nice');
  assert.equal(parseBlocks('# C#')[0].text, 'C#');
});

test('inline', () => {
  assert.equal(told('a *b* **c** `d` ~~e~~'), 'a <em b> <strong c> <code d> <del e>');
  assert.equal(told('snake_case_name and 2 * 3 * 4'), 'snake_case_name and 2 * 3 * 4');
  assert.equal(told('***both***'), '<strong <em both>>');
  assert.equal(told('**a *b* c**'), '<strong a <em b> c>');
  assert.equal(told('``a ` b``'), '<code a ` b>');
  assert.equal(told('\\*not\\* em'), '*not* em');
  assert.equal(told('see https://example.org/a_b_c.'), 'see <a https://example.org/a_b_c https://example.org/a_b_c>.');
  assert.equal(told('[x](https://example.org)'), '<a https://example.org x>');
  assert.equal(told('![x](https://example.org/p.png)'), '<a https://example.org/p.png x>');
  assert.equal(told('one\ntwo'), 'one<br>two');
});

test('nothing but harmless addresses becomes a link', () => {
  for (const href of ['javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'data:text/html,x', 'vbscript:x', '//evil', 'file:///etc/passwd', ' javascript:x', 'https://a"b']) {
    assert.equal(safeHref(href), null, href);
    assert.ok(!told(`[x](${href})`).includes('<a ' + href), href);
  }
  assert.equal(told('<img src=x onerror=alert(1)>'), '<img src=x onerror=alert(1)>');
});

// What would take hours if any part were quadratic (and minutes in a slow one) ends at once.
test('hostile texts are read in linear time', {timeout: 60000}, () => {
  const parts = ['*', '_', '`', '[', '](', '![', '**a ', '*a _b ', '> ', '- ', '1. ', '|', '| - ', '#', '# ', '~~', '\\', ' ', '\n', '\t', 'http://', '`` ', '(', '[a](', '- a\n', '> a\n', '```\n', '|-|\n', '***a'];
  const inside = (text) => parseBlocks(text).forEach((b) => b.text !== undefined && b.type !== 'code' && parseInline(b.text));
  for (const part of parts) {
    inside(part.repeat(Math.ceil(200000 / part.length)));
    inside(`${part.repeat(Math.ceil(200000 / part.length))}](x)\``);
    inside(`\`\`\`${part.repeat(50000)}\``);
    inside(`| a |\n|-|${part.repeat(50000)}x`);
  }
});

test('server-sent events, cut anywhere', () => {
  const text = ': prefill 4%\n\ndata: {"a":1}\n\ndata: x\r\ndata: y\r\n\r\nevent: z\ndata:w\n\n: last\n';
  const expected = [{comment: 'prefill 4%'}, {data: '{"a":1}'}, {data: 'x\ny'}, {data: 'w'}, {comment: 'last'}];
  for (let size = 1; size <= text.length; size++) {
    const parser = new EventParser();
    const events = [];
    for (let i = 0; i < text.length; i += size) events.push(...parser.push(text.slice(i, i + size)));
    assert.deepEqual(events, expected, `pieces of ${size}`);
  }
});

test('rates between two answers of /v1/live', () => {
  const at = (time_s, n) => ({
    time_s, running: 2, waiting: 1, steps: n, generated_tokens: 10 * n, computed_prompt_tokens: 4 * n,
    pages: {total: 10, free: 5, idle: 3}, prefix: {asked_tokens: 8 * n, found_tokens: 2 * n}, first_token: {count: n, sum_s: n / 2},
  });
  const sample = between(at(100, 1), at(102, 5));
  assert.equal(sample.generatedPerS, 20);
  assert.equal(sample.promptPerS, 8);
  assert.equal(sample.pagesUsed, 0.2);
  assert.equal(sample.prefixFound, 0.25);
  assert.equal(sample.firstTokenS, 0.5);
  assert.equal(sample.tokensPerStep, 14);
  assert.equal(between(at(100, 1), at(101, 1)).prefixFound, null);
  assert.equal(between(null, at(1, 1)), null);
});
