// Runs the *.test.mjs of a folder, one after the other, against a tutti program:
//   node run_node_tests.mjs build/dev/bin/tutti tests/clients
// Exit code 77 where what they need is not installed (`./test clients` and `./test web` install it).
import {spawnSync} from 'node:child_process';
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {EXIT_SKIPPED} from './server.mjs';

const [binary, folder] = process.argv.slice(2);
if (!existsSync(join(folder, 'node_modules'))) {
  console.log(`SKIPPED: no node_modules in ${folder}; ./test ${folder.split('/').at(-1)} installs them`);
  process.exit(EXIT_SKIPPED);
}
let failed = 0;
for (const name of readdirSync(folder).filter((n) => n.endsWith('.test.mjs')).sort()) {
  const run = spawnSync(process.execPath, ['--test', name],
                        {cwd: folder, stdio: 'inherit', env: {...process.env, TUTTI: binary}});
  if (run.status !== 0) failed++;
}
process.exit(failed ? 1 : 0);
