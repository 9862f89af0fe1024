// Markdown as language models write it -> a tree of plain objects; render.js makes elements of it.
//
// Known: headings, paragraphs, fenced code, lists, quotes, tables, rules; code, strong, emphasis,
// strike-through, links. HTML stays text. Time is linear in the text (times the depth, which is
// bounded), whatever the text is.

const DEPTH = 8;
const FENCE = /^( {0,3})(`{3,}(?!`)|~{3,}(?!~))/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*))?$/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const ITEM = /^(\s{0,12})([-*+]|\d{1,9}[.)])(?:[ \t]+(.*)|$)/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const TABLE_RULE = /^\s*\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?)?\s*$/;

// Blocks: {type: 'heading', level, text}, {type: 'paragraph' , text}, {type: 'code', language,
// text, open}, {type: 'list', ordered, start, items: [[block]]}, {type: 'quote', blocks},
// {type: 'table', align, head, rows}, {type: 'rule'}. Each has `source`, the lines it came from.
export function parseBlocks(text, depth = 0) {
  const lines = text.split('\n');
  const blocks = [];
  for (let i = 0; i < lines.length;) {
    const begin = i;
    let block = null;
    [block, i] = parseBlock(lines, i, depth);
    if (!block) continue;
    block.source = lines.slice(begin, i).join('\n');
    blocks.push(block);
  }
  return blocks;
}

function parseBlock(lines, i, depth) {
  const line = lines[i];
  if (line.trim() === '') return [null, i + 1];
  let match;
  if ((match = fence(line))) return parseCode(lines, i, match);
  if ((match = HEADING.exec(line))) {
    const text = (match[2] ?? '').trim();
    const bare = withoutEnd(text, '#');
    return [{type: 'heading', level: match[1].length, text: bare.endsWith(' ') ? bare.trim() : text}, i + 1];
  }
  if (RULE.test(line)) return [{type: 'rule'}, i + 1];
  if (depth < DEPTH && QUOTE.test(line)) return parseQuote(lines, i, depth);
  if (depth < DEPTH && ITEM.test(line)) return parseList(lines, i, depth);
  if (startsTable(lines, i)) return parseTable(lines, i);
  const begin = i++;
  while (i < lines.length && lines[i].trim() !== '' && !startsBlock(lines, i, depth)) i++;
  return [{type: 'paragraph', text: lines.slice(begin, i).join('\n').trim()}, i];
}

// [whole, indent, marker, language] of a line that opens code.
function fence(line) {
  const match = FENCE.exec(line);
  if (!match) return null;
  const info = line.slice(match[0].length);
  if (match[2][0] === '`' && info.includes('`')) return null;
  return [...match, info.trim().split(/\s/, 1)[0]];
}

function withoutEnd(text, character) {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end--;
  return text.slice(0, end);
}

function startsTable(lines, i) {
  return i + 1 < lines.length && lines[i].includes('|') && lines[i + 1].length < 1000 &&
      TABLE_RULE.test(lines[i + 1]);
}

function startsBlock(lines, i, depth) {
  const line = lines[i];
  return fence(line) !== null || HEADING.test(line) || RULE.test(line) ||
      (depth < DEPTH && (QUOTE.test(line) || ITEM.test(line))) ||
      startsTable(lines, i);
}

function parseCode(lines, i, [, indent, marker, language]) {
  const body = [];
  for (i++; i < lines.length; i++) {
    const trimmed = lines[i].trim();
    if (trimmed.length >= marker.length && trimmed === marker[0].repeat(trimmed.length)) {
      return [{type: 'code', language, text: body.join('\n'), open: false}, i + 1];
    }
    body.push(lines[i].startsWith(indent) ? lines[i].slice(indent.length) : lines[i]);
  }
  return [{type: 'code', language, text: body.join('\n'), open: true}, i];
}

function parseQuote(lines, i, depth) {
  const body = [];
  for (let match; i < lines.length && (match = QUOTE.exec(lines[i])); i++) body.push(match[1]);
  return [{type: 'quote', blocks: parseBlocks(body.join('\n'), depth + 1)}, i];
}

function parseList(lines, i, depth) {
  const [, indent, marker] = ITEM.exec(lines[i]);
  const ordered = /\d/.test(marker);
  const list = {type: 'list', ordered, start: ordered ? parseInt(marker, 10) : 1, items: []};
  let body = null, inner = 0;
  for (; i < lines.length; i++) {
    const line = lines[i];
    const match = ITEM.exec(line);
    const own = match && match[1].length <= indent.length + 1 && !RULE.test(line);
    if (own && /\d/.test(match[2]) === ordered) {
      if (body) list.items.push(parseBlocks(body.join('\n'), depth + 1));
      body = [match[3] ?? ''];
      inner = match[1].length + match[2].length + 1;
    } else if (line.trim() === '') {
      if (i + 1 >= lines.length) break;
      body.push('');
    } else if (/^\s/.test(line) && line.length - line.trimStart().length > indent.length) {
      body.push(line.slice(Math.min(inner, line.length - line.trimStart().length)));
    } else if (!own && body.at(-1) !== '' && !startsBlock(lines, i, depth)) {
      body.push(line);
    } else {
      break;
    }
  }
  if (body) list.items.push(parseBlocks(body.join('\n'), depth + 1));
  return [list, i];
}

function cells(line) {
  const parts = [''];
  const inner = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  let code = false;
  for (let i = 0; i < inner.length; i++) {
    if (inner[i] === '`') code = !code;
    if (inner[i] === '\\' && inner[i + 1] === '|') parts[parts.length - 1] += inner[++i];
    else if (inner[i] === '|' && !code) parts.push('');
    else parts[parts.length - 1] += inner[i];
  }
  return parts.map((part) => part.trim());
}

function parseTable(lines, i) {
  const head = cells(lines[i]);
  const align = cells(lines[i + 1]).map(
      (c) => (c.endsWith(':') ? (c.startsWith(':') ? 'center' : 'right') : 'left'));
  const rows = [];
  for (i += 2; i < lines.length && lines[i].includes('|') && lines[i].trim() !== ''; i++) rows.push(cells(lines[i]));
  return [{type: 'table', align, head, rows}, i];
}

// Inside of a paragraph: strings, {type: 'code', text}, {type: 'strong' | 'em' | 'del', children},
// {type: 'link', href, children}, {type: 'break'}.
export function parseInline(text, depth = 0) {
  const out = [];
  const next = new Map();  // where a marker occurs next: nothing is searched twice
  let plain = '';
  const flush = () => { if (plain) out.push(plain); plain = ''; };
  const find = (marker, from) => {
    const known = next.get(marker);
    if (known && from >= known.from && (known.at < 0 || from <= known.at)) return known.at;
    const at = text.indexOf(marker, from);
    next.set(marker, {from, at});
    return at;
  };
  for (let i = 0; i < text.length;) {
    const node = depth < DEPTH ? parseSpan(text, i, depth, find) : null;
    if (node) {
      flush();
      out.push(node.value);
      i = node.end;
    } else if (text[i] === '\\' && /[!-/:-@[-`{-~]/.test(text[i + 1] ?? '')) {
      plain += text[i + 1];
      i += 2;
    } else {
      // A run of one marker that opens nothing is plain as a whole.
      const begin = i++;
      if ('`*_~'.includes(text[begin])) while (text[i] === text[begin]) i++;
      plain += text.slice(begin, i);
    }
  }
  flush();
  return out;
}

const word = (c) => c !== undefined && /[\p{L}\p{N}]/u.test(c);

function parseSpan(text, i, depth, find) {
  switch (text[i]) {
    case '\n': return {value: {type: 'break'}, end: i + 1};
    case '`': return codeSpan(text, i, find);
    case '*':
    case '_': return emphasis(text, i, depth, find);
    case '~':
      return text.startsWith('~~', i) ? wrapped(text, i, '~~', 'del', depth, find) : null;
    case '!':
    case '[': return link(text, i, depth, find);
    case 'h': return bareLink(text, i);
    default: return null;
  }
}

function codeSpan(text, i, find) {
  let end = i;
  while (text[end] === '`') end++;
  const marker = text.slice(i, end);
  const close = find(marker, end);
  if (close < 0) return null;
  const inner = text.slice(end, close);
  const value = inner.startsWith(' ') && inner.endsWith(' ') && inner.trim() ? inner.slice(1, -1) : inner;
  return {value: {type: 'code', text: value.replaceAll('\n', ' ')}, end: close + marker.length};
}

function emphasis(text, i, depth, find) {
  const c = text[i];
  if (c === '_' && word(text[i - 1])) return null;  // snake_case
  if (text.startsWith(c + c, i)) {
    const strong = wrapped(text, i, c + c, 'strong', depth, find);
    if (strong) return strong;
  }
  return text[i + 1] === c ? null : wrapped(text, i, c, 'em', depth, find);
}

function wrapped(text, i, marker, type, depth, find) {
  const begin = i + marker.length;
  if (/\s/.test(text[begin] ?? ' ')) return null;
  let close = begin;
  for (let tries = 0; tries < 4; tries++) {
    close = find(marker, close + (tries ? marker.length : 0));
    if (close < 0) return null;
    const single = marker.length > 1 || text[close + 1] !== marker;
    if (single && close > begin && !/\s/.test(text[close - 1]) &&
        !(marker[0] === '_' && word(text[close + marker.length]))) {
      // "***both***": the strong one ends with the last two
      while (marker.length > 1 && text[close + marker.length] === marker[0]) close++;
      return {
        value: {type, children: parseInline(text.slice(begin, close), depth + 1)},
        end: close + marker.length,
      };
    }
    if (!single) close++;
  }
  return null;
}

// An address that a click may open: http, https, mailto. Everything else stays text.
export function safeHref(href) {
  return /^(?:https?:\/\/|mailto:)[^\s<>"]+$/i.test(href) ? href : null;
}

function link(text, i, depth, find) {
  const image = text[i] === '!';
  const begin = i + (image ? 2 : 1);
  if (image && text[i + 1] !== '[') return null;
  const middle = find('](', begin);
  if (middle < 0 || middle - begin > 1000) return null;
  const label = text.slice(begin, middle);
  const close = find(')', middle + 2);
  if (close < 0 || close - middle > 2000 || label.includes('[')) return null;
  const href = safeHref(text.slice(middle + 2, close).trim().replace(/\s+"[^"]*"$/, ''));
  if (!href) return null;
  return {value: {type: 'link', href, children: parseInline(label || href, DEPTH)}, end: close + 1};
}

function bareLink(text, i) {
  if (word(text[i - 1]) || !(text.startsWith('http://', i) || text.startsWith('https://', i))) return null;
  const pattern = /[^\s<>"`]+/y;
  pattern.lastIndex = i;
  const href = pattern.exec(text)[0].replace(/[.,;:!?'*_)\]]+$/, '');
  return safeHref(href) ? {value: {type: 'link', href, children: [href]}, end: i + href.length} : null;
}
