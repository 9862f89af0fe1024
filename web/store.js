// Conversations in this browser (IndexedDB), settings in localStorage. Where the browser keeps
// nothing (private windows), everything works until the tab is closed.

const memory = new Map();
let database = null;

// Whether conversations outlive the tab.
export async function openStore() {
  try {
    database = await new Promise((resolve, reject) => {
      const request = indexedDB.open('tutti', 1);
      request.onupgradeneeded = () => request.result.createObjectStore('conversations', {keyPath: 'id'});
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } catch {
    database = null;
  }
  return database !== null;
}

function run(mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction('conversations', mode);
    const request = work(transaction.objectStore('conversations'));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

// The newest first.
export async function listConversations() {
  const all = database ? await run('readonly', (store) => store.getAll()) : [...memory.values()];
  return all.sort((a, b) => b.updated - a.updated);
}

export async function saveConversation(conversation) {
  const plain = structuredClone(conversation);
  if (database) await run('readwrite', (store) => store.put(plain));
  else memory.set(plain.id, plain);
}

export async function deleteConversation(id) {
  if (database) await run('readwrite', (store) => store.delete(id));
  else memory.delete(id);
}

export async function deleteAll() {
  if (database) await run('readwrite', (store) => store.clear());
  else memory.clear();
}

const SETTINGS = 'tutti.settings';

export function readSettings() {
  try { return JSON.parse(localStorage.getItem(SETTINGS)) ?? {}; } catch { return {}; }
}

export function writeSettings(settings) {
  try { localStorage.setItem(SETTINGS, JSON.stringify(settings)); } catch { /* kept in the page */ }
}
