// Starts `tutti serve` for tests in Node: on a free port of the loopback, until the process ends.
import {spawn} from 'node:child_process';
import {createServer} from 'node:net';

export const EXIT_SKIPPED = 77;

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const {port} = server.address();
      server.close(() => resolve(port));
    });
  });
}

// {url, process, stop(): exit code, log(): what it wrote to standard error}. `binary` is the path of
// tutti, `options` more arguments.
export async function startServer(binary, options = []) {
  const port = await freePort();
  const child = spawn(binary, ['serve', '--host', '127.0.0.1', '--port', String(port), '--threads', '1', ...options],
                      {stdio: ['ignore', 'ignore', 'pipe']});
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { log = (log + text).slice(-20000); });
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  const url = `http://127.0.0.1:${port}`;
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  for (let tries = 0;; tries++) {
    if (child.exitCode !== null) throw new Error(`tutti serve ended with ${child.exitCode}: ${log}`);
    if (tries > 600) throw new Error(`tutti serve was not ready after a minute: ${log}`);
    const ready = await fetch(`${url}/ready`).then((r) => r.ok, () => false);
    if (ready) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return {url, process: child, stop, log: () => log};
}
