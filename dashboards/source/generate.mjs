/* Writes ../<name>.json from the sources here; with --check only tells whether they agree. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import hostUse from './host-use.mjs';
import hosts from './hosts.mjs';
import services from './services.mjs';
import sonde from './sonde.mjs';

const FILES = { 'host-use': hostUse, hosts, services, sonde };
const check = process.argv.includes('--check');
let stale = 0;

for (const [name, model] of Object.entries(FILES)) {
  const path = fileURLToPath(new URL(`../${name}.json`, import.meta.url));
  const text = JSON.stringify(model, null, 2) + '\n';
  if (!check) {
    writeFileSync(path, text);
  } else if (readFileSync(path, 'utf8') !== text) {
    console.error(
      `${name}.json differs from source/${name}.mjs: run node dashboards/source/generate.mjs`,
    );
    stale = 1;
  }
}
process.exit(stale);
