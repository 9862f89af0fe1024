// The chat page: conversations, the composer, the settings. Answers are read by answer.js.
import {ApiError, getJson, getKey, setKey} from './api.js';
import {chatBody, continueText, figuresText, readAnswer, seconds} from './answer.js';
import {byId, drawIcons, h, icon} from './dom.js';
import {copyButton, MarkdownView} from './render.js';
import {deleteAll, deleteConversation, listConversations, openStore, readSettings, saveConversation, writeSettings} from './store.js';

let models = [];           // of the server: {id, max_model_len, has_chat_template}
let conversations = [];    // the newest first
let current = null;        // {id, created, updated, title, mode, model, system, messages | text, range, figures}
let running = null;        // AbortController of the answer that streams
let settings = readSettings();

// ---- small things ------------------------------------------------------------------------------

const modelNamed = (id) => models.find((m) => m.id === id);
const modeOf = (model) => (model?.has_chat_template === false ? 'text' : 'chat');
const say = (text) => { byId('status').textContent = text; };

let toastTimer = 0;
function toast(text, action, onaction) {
  const button = action && h('button', {class: 'quiet', onclick: () => { onaction(); byId('toast').hidden = true; }}, action);
  byId('toast').replaceChildren(text, ...(button ? [button] : []));
  byId('toast').hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { byId('toast').hidden = true; }, 7000);
}

function newId() {
  return crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random().toString(36).slice(2)}`;
}

function newConversation(mode) {
  const model = modelNamed(settings.model) ?? models[0];
  return {
    id: newId(), created: Date.now(), updated: Date.now(), title: '', mode: mode ?? modeOf(model),
    model: model?.id ?? '', system: settings.system ?? '', messages: [], text: '', range: null, figures: null,
  };
}

const isEmpty = (c) => (c.mode === 'text' ? c.text === '' : c.messages.length === 0);

async function keep() {
  if (isEmpty(current)) return;
  current.updated = Date.now();
  const begin = current.mode === 'text' ? current.text : current.messages[0].content;
  current.title = begin.trim().replace(/\s+/g, ' ').slice(0, 80) || 'Untitled';
  if (!conversations.includes(current)) conversations.push(current);
  conversations.sort((a, b) => b.updated - a.updated);
  showList();
  try { await saveConversation(current); } catch { toast('This browser has no room to keep the conversation.'); }
}

// ---- the list ----------------------------------------------------------------------------------

function showList() {
  byId('list').replaceChildren(...conversations.map((c) => h('li', {},
    h('button', {class: 'entry', 'aria-current': c === current ? 'true' : false, onclick: () => open(c)}, c.title),
    h('button', {class: 'tool', 'aria-label': `Delete “${c.title}”`, title: 'Delete', onclick: () => remove(c)}, icon('trash')))));
}

async function remove(conversation) {
  await deleteConversation(conversation.id);
  conversations = conversations.filter((c) => c !== conversation);
  if (conversation === current) open(newConversation());
  else showList();
  toast('Deleted.', 'Undo', async () => {
    await saveConversation(conversation);
    conversations.push(conversation);
    conversations.sort((a, b) => b.updated - a.updated);
    showList();
  });
}

function open(conversation) {
  running?.abort();
  current = conversation;
  if (!modelNamed(current.model) && models.length) current.model = models[0].id;
  sideBar(false);
  showAll();
  (current.mode === 'text' ? byId('sheet-text') : byId('composer-text')).focus({preventScroll: true});
}

// ---- what is shown -----------------------------------------------------------------------------

function showAll() {
  const text = current.mode === 'text';
  byId('model').value = current.model;
  for (const radio of byId('mode').querySelectorAll('input')) radio.checked = radio.value === current.mode;
  byId('talk').hidden = text;
  byId('page').hidden = !text;
  byId('composer').hidden = text;
  byId('page-bar').hidden = !text;
  byId('system-field').hidden = text;
  byId('settings-form').elements.system.value = current.system;
  document.title = current.title ? `${current.title.slice(0, 40)} – Tutti` : 'Tutti';
  if (text) showSheet(); else showTalk();
  showList();
  say('');
  byId('scroll').scrollTop = byId('scroll').scrollHeight;
}

function showTalk() {
  byId('talk').replaceChildren(...(current.messages.length ? current.messages.map(messageElement) : [welcome()]));
}

function welcome() {
  const model = modelNamed(current.model);
  const context = model?.max_model_len ? ` It sees up to ${model.max_model_len.toLocaleString('en')} tokens at once.` : '';
  return h('section', {class: 'welcome'}, h('img', {src: '/web/mark.svg', alt: '', width: '56', height: '56'}),
           h('h1', {}, 'What shall we work on?'),
           h('p', {}, model ? `${model.id} answers, on this server alone.${context}` : 'No model is loaded.'));
}

function messageElement(message, index) {
  return message.role === 'user' ? userElement(message, index) : assistantElement(message, index).element;
}

function tool(name, label, onclick) {
  return h('button', {class: 'tool', type: 'button', 'aria-label': label, title: label, onclick}, icon(name));
}

function userElement(message, index) {
  const element = h('article', {class: 'said', 'aria-label': 'You'}, h('div', {class: 'words'}, message.content),
    h('div', {class: 'tools'}, copyButton(() => message.content, 'Copy the message'),
      tool('edit', 'Edit the message', () => edit(element, message, index))));
  return element;
}

// The parts of an answer that change while it streams.
function assistantElement(message, index) {
  const words = h('div', {class: 'words md'});
  const view = new MarkdownView(words);
  const summary = h('summary');
  const thought = h('div', {class: 'words'});
  const details = h('details', {class: 'thought', hidden: !message.reasoning}, summary, thought);
  const meta = h('p', {class: 'meta'});
  const trouble = h('div', {class: 'trouble', hidden: true});
  const tools = h('div', {class: 'tools'}, copyButton(() => message.content, 'Copy the answer'),
                  tool('retry', 'Answer again', () => retry(index)));
  const element = h('article', {class: 'answer', 'aria-label': 'Answer'}, details, words, trouble,
                    h('div', {class: 'under'}, meta, tools));
  const show = () => {
    view.show(message.content);
    details.hidden = !message.reasoning;
    thought.textContent = message.reasoning ?? '';
    const f = message.figures;
    summary.textContent = f?.thoughtMs ? `Thought for ${seconds(f.thoughtMs)}` : (message.content ? 'Thoughts' : 'Thinking…');
    meta.textContent = f ? figuresText(f) : '';
    element.classList.toggle('failed', Boolean(message.error) && !message.content);
    trouble.hidden = !message.error;
    if (message.error) trouble.replaceChildren(...troubleParts(message.error, () => retry(index)));
  };
  show();
  return {element, show, wait: (text) => { meta.textContent = text; }};
}

function troubleParts(error, again) {
  const parts = [h('p', {}, error.message)];
  const hints = {
    429: error.retryAfterS ? `It should work again in ${seconds(error.retryAfterS * 1000)}.` : 'Try again in a moment.',
    503: 'The server is starting or about to stop. Try again in a moment.',
    0: 'What you wrote is kept.',
  };
  let hint = hints[error.status];
  if (error.code === 'context_length_exceeded') hint = 'Shorten the conversation: edit an earlier message, or begin a new one.';
  if (hint) parts.push(h('p', {class: 'hint'}, hint));
  if (error.status === 401) parts.push(h('button', {class: 'primary', onclick: () => askKey(error.message, again)}, 'Enter a key'));
  else parts.push(h('button', {class: 'quiet', onclick: again}, 'Try again'));
  if (error.requestId) parts.push(h('p', {class: 'fine'}, `Request ${error.requestId}`));
  return parts;
}

const plainError = (error) => ({
  message: error.message, status: error.status ?? -1, code: error.code ?? '',
  retryAfterS: error.retryAfterS ?? 0, requestId: error.requestId ?? '',
});

// ---- chat --------------------------------------------------------------------------------------

function setRunning(controller) {
  running = controller;
  byId('send').hidden = byId('page-go').hidden = controller !== null;
  byId('stop').hidden = byId('page-stop').hidden = controller === null;
  byId('talk').setAttribute('aria-busy', controller !== null);
  byId('sheet-text').readOnly = controller !== null;
  showSheetButtons();
}

// Keeps the end in sight while the reader has not scrolled up.
function followEnd() {
  const box = byId('scroll');
  const following = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  return () => { if (following) box.scrollTop = box.scrollHeight; showToEnd(); };
}

// Calls `show` at most once per frame.
function perFrame(show) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; const scroll = followEnd(); show(); scroll(); });
  };
}

function progressText(comment) {
  const match = /prefill\s+(\d+)\s*%/.exec(comment);
  return match ? `Reading the prompt, ${match[1]} %` : 'Waiting';
}

async function answer() {
  const conversation = current;
  const message = {role: 'assistant', content: '', reasoning: '', figures: null, error: null};
  const body = chatBody(conversation, settings);
  conversation.messages.push(message);
  const view = assistantElement(message, conversation.messages.length - 1);
  byId('talk').append(view.element);
  view.element.classList.add('live');
  view.wait('Waiting');
  byId('scroll').scrollTop = byId('scroll').scrollHeight;
  const controller = new AbortController();
  setRunning(controller);
  const show = perFrame(view.show);
  try {
    message.figures = await readAnswer('/v1/chat/completions', body, {
      text(piece) { message.content += piece; show(); },
      reasoning(piece) { message.reasoning += piece; show(); },
      progress(comment) { if (!message.content) view.wait(progressText(comment)); },
    }, controller.signal);
    say(message.figures.finish === 'stopped' ? 'Stopped.' : 'The answer is complete.');
  } catch (error) {
    message.error = plainError(error);
    say('');
    if (error.status === 401) askKey(error.message, () => retry(conversation.messages.indexOf(message)));
  }
  view.element.classList.remove('live');
  const scroll = followEnd();
  view.show();
  scroll();
  if (running === controller) setRunning(null);
  if (current === conversation) await keep();
  else await saveConversation(conversation);
}

async function send(text) {
  if (!text.trim() || running) return;
  if (!current.model) { notice('No model is loaded on this server.'); return; }
  if (!current.messages.length) byId('talk').replaceChildren();
  current.messages.push({role: 'user', content: text});
  byId('talk').append(userElement(current.messages.at(-1), current.messages.length - 1));
  await Promise.all([keep(), answer()]);
}

function retry(index) {
  if (running) return;
  current.messages.length = index;
  showTalk();
  answer();
}

function edit(element, message, index) {
  if (running) return;
  const field = h('textarea', {rows: '3', 'aria-label': 'Edit the message'});
  field.value = message.content;
  const back = () => element.replaceWith(userElement(message, index));
  const go = () => {
    if (!field.value.trim()) return;
    current.messages.length = index;
    showTalk();
    if (!index) byId('talk').replaceChildren();
    send(field.value);
  };
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { event.stopPropagation(); back(); }
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); go(); }
  });
  element.replaceChildren(field, h('div', {class: 'bar'}, h('p', {class: 'fine'}, 'What follows is answered anew.'),
    h('span', {class: 'spring'}), h('button', {class: 'quiet', onclick: back}, 'Cancel'),
    h('button', {class: 'primary', onclick: go}, 'Send')));
  element.classList.add('editing');
  field.focus();
}

// ---- continue a text ---------------------------------------------------------------------------

function showSheet() {
  byId('sheet-text').value = current.text;
  showMirror();
  byId('sheet-meta').textContent = current.figures ? figuresText(current.figures) : '';
  showSheetButtons();
}

// Behind the text field, to give it its height and to mark what the model wrote last.
function showMirror() {
  const [begin, end] = current.range ?? [current.text.length, current.text.length];
  const text = current.text;
  document.querySelector('.sheet-mirror').replaceChildren(
      text.slice(0, begin), h('mark', {}, text.slice(begin, end)), `${text.slice(end)}\n`);
}

function showSheetButtons() {
  const last = current?.range && current.range[1] === current.text.length;
  byId('page-undo').disabled = byId('page-retry').disabled = running !== null || !last;
}

function undoText() {
  if (!current.range) return;
  current.text = current.text.slice(0, current.range[0]);
  current.range = current.figures = null;
  showSheet();
  keep();
}

async function goOn() {
  if (running) return;
  if (!current.model) { notice('No model is loaded on this server.'); return; }
  const conversation = current;
  const begin = conversation.text.length;
  if (!begin) { byId('sheet-text').focus(); return; }
  conversation.range = [begin, begin];
  const controller = new AbortController();
  setRunning(controller);
  notice('');
  const show = perFrame(() => { if (current === conversation) { byId('sheet-text').value = conversation.text; showMirror(); } });
  byId('sheet-meta').textContent = 'Waiting';
  try {
    conversation.figures = await continueText(conversation.model, conversation.text, settings, {
      text(piece) { conversation.text += piece; conversation.range[1] = conversation.text.length; show(); },
      progress(comment) { byId('sheet-meta').textContent = progressText(comment); },
    }, controller.signal);
    say(conversation.figures.finish === 'stopped' ? 'Stopped.' : 'The text has grown.');
  } catch (error) {
    if (conversation.range[1] === begin) conversation.range = null;
    conversation.figures = null;
    notice(plainError(error), goOn);
  }
  if (running === controller) setRunning(null);
  if (current !== conversation) { await saveConversation(conversation); return; }
  const scroll = followEnd();
  showSheet();
  scroll();
  await keep();
}

// ---- notices, keys -----------------------------------------------------------------------------

function notice(error, again) {
  const box = byId('notice');
  box.hidden = !error;
  if (!error) return;
  box.replaceChildren(...(typeof error === 'string' ? [h('p', {}, error)] : troubleParts(error, again)));
  if (error.status === 401) askKey(error.message, again);
}

let afterKey = null;
function askKey(reason, again) {
  afterKey = again;
  byId('key-reason').textContent = getKey()
    ? `${reason} Enter another one; it is kept until this tab is closed and sent nowhere else.`
    : 'Enter an API key of this server. It is kept until this tab is closed and sent nowhere else.';
  byId('key-field').value = '';
  if (!byId('key-dialog').open) byId('key-dialog').showModal();
}

function useKey(event) {
  event.preventDefault();
  setKey(byId('key-field').value.trim());
  byId('settings-form').elements.key.value = getKey();
  byId('key-dialog').close();
  notice('');
  afterKey?.();
}

async function loadModels() {
  try {
    models = (await getJson('/v1/models')).data;
    notice('');
  } catch (error) {
    notice(plainError(error), loadModels);
    return;
  }
  byId('model').replaceChildren(...models.map((m) => h('option', {value: m.id}, m.id)));
  byId('model').disabled = models.length < 2;
  if (!models.length) notice('No model is loaded on this server.');
  if (isEmpty(current)) current = newConversation();
  showAll();
}

// ---- wiring ------------------------------------------------------------------------------------

function sideBar(shown) {
  document.body.classList.toggle('side-shown', shown);
  byId('shade').hidden = !shown;
  byId('side-open').setAttribute('aria-expanded', shown);
}

function settingsBar(shown) {
  byId('settings').hidden = !shown;
  byId('settings-open').setAttribute('aria-expanded', shown);
  (shown ? byId('settings-close') : byId('settings-open')).focus();
}

const SAMPLING = ['temperature', 'top_p', 'top_k', 'min_p', 'presence_penalty', 'frequency_penalty', 'seed', 'max_tokens', 'stop'];

function wireSettings() {
  const form = byId('settings-form');
  for (const name of SAMPLING) form.elements[name].value = settings[name] ?? '';
  form.elements.key.value = getKey();
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('input', (event) => {
    const field = event.target;
    if (field.name === 'key') { setKey(field.value.trim()); return; }
    if (!field.validity.valid) return;
    if (field.name === 'system') {
      current.system = field.value;
      if (!isEmpty(current)) keep();
    }
    settings[field.name] = field.value;
    writeSettings(settings);
  });
  byId('settings-reset').addEventListener('click', () => {
    for (const name of SAMPLING) { delete settings[name]; form.elements[name].value = ''; }
    writeSettings(settings);
  });
  byId('settings-open').addEventListener('click', () => settingsBar(byId('settings').hidden));
  byId('settings-close').addEventListener('click', () => settingsBar(false));
  byId('export').addEventListener('click', () => {
    const url = URL.createObjectURL(new Blob([JSON.stringify(conversations, null, 1)], {type: 'application/json'}));
    h('a', {href: url, download: 'tutti-conversations.json'}).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
  byId('erase').addEventListener('click', async () => {
    const all = conversations;
    await deleteAll();
    conversations = [];
    open(newConversation());
    toast('All conversations are deleted.', 'Undo', async () => {
      conversations = all;
      for (const c of all) await saveConversation(c);
      showList();
    });
  });
}

function fitComposer() {
  const field = byId('composer-text');
  field.style.height = 'auto';
  field.style.height = `${Math.min(field.scrollHeight, innerHeight * 0.4)}px`;
}

function submitComposer(event) {
  event?.preventDefault();
  const field = byId('composer-text');
  if (running || !field.value.trim()) return;
  const text = field.value;
  field.value = '';
  fitComposer();
  send(text);
}

function composerKey(event) {
  const field = event.target;
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submitComposer(event);
  if (event.key === 'ArrowUp' && !field.value) {
    event.preventDefault();
    [...byId('talk').querySelectorAll('.said [title="Edit the message"]')].at(-1)?.click();
  }
}

function pageKey(event) {
  if (event.key === 'Escape') {
    if (running) running.abort();
    else if (document.body.classList.contains('side-shown')) sideBar(false);
    else if (!byId('settings').hidden) settingsBar(false);
  }
  if (event.altKey && event.code === 'KeyN') { event.preventDefault(); open(newConversation()); }
  if (event.altKey && event.code === 'KeyS') { event.preventDefault(); settingsBar(byId('settings').hidden); }
  if (event.ctrlKey && event.key === 'Enter' && current?.mode === 'text') { event.preventDefault(); goOn(); }
}

function changeMode(event) {
  if (event.target.value === current.mode) return;
  if (isEmpty(current)) {
    current.mode = event.target.value;
    open(current);
  } else {
    open(newConversation(event.target.value));
  }
}

function changeModel(event) {
  current.model = settings.model = event.target.value;
  writeSettings(settings);
  if (isEmpty(current)) current.mode = modeOf(modelNamed(current.model));
  else keep();
  showAll();
}

function showToEnd() {
  const box = byId('scroll');
  byId('to-end').hidden = box.scrollHeight - box.scrollTop - box.clientHeight < 160;
}

function wire() {
  byId('new').addEventListener('click', () => open(newConversation()));
  byId('side-open').addEventListener('click', () => { sideBar(true); byId('side-close').focus(); });
  byId('side-close').addEventListener('click', () => { sideBar(false); byId('side-open').focus(); });
  byId('shade').addEventListener('click', () => sideBar(false));
  byId('model').addEventListener('change', changeModel);
  byId('mode').addEventListener('change', changeMode);
  byId('composer').addEventListener('submit', submitComposer);
  byId('composer-text').addEventListener('input', fitComposer);
  byId('composer-text').addEventListener('keydown', composerKey);
  byId('stop').addEventListener('click', () => running?.abort());
  byId('page-stop').addEventListener('click', () => running?.abort());
  byId('page-go').addEventListener('click', goOn);
  byId('page-undo').addEventListener('click', undoText);
  byId('page-retry').addEventListener('click', () => { undoText(); goOn(); });
  byId('sheet-text').addEventListener('input', (event) => {
    current.text = event.target.value;
    if (current.range && current.range[1] > current.text.length) current.range = null;
    showMirror();
    showSheetButtons();
  });
  byId('sheet-text').addEventListener('change', keep);
  byId('page').addEventListener('click', (event) => { if (event.target === byId('page')) byId('sheet-text').focus(); });
  byId('key-form').addEventListener('submit', useKey);
  byId('key-cancel').addEventListener('click', () => byId('key-dialog').close());
  byId('scroll').addEventListener('scroll', showToEnd, {passive: true});
  byId('to-end').addEventListener('click', () => byId('scroll').scrollTo({top: byId('scroll').scrollHeight, behavior: 'smooth'}));
  document.addEventListener('keydown', pageKey);
  wireSettings();
}

async function start() {
  drawIcons();
  wire();
  current = newConversation();
  if (!await openStore()) byId('storage-note').textContent = 'kept until this tab is closed';
  conversations = await listConversations();
  showAll();
  await loadModels();
  byId('composer-text').focus({preventScroll: true});
}

start();
