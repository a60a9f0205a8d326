/* Builds the page into dist/, or with --tests the unit tests into build/tests/.
 *
 *   dist/index.html                the page, with the names of the others in it
 *   dist/app.<hash>.js, .css       hashed names: they may be cached for ever
 *   dist/icon.<hash>.svg
 *   dist/notices.txt               licences of what is inside
 *
 * index.html belongs at "/", "/graph" and "/traces", everything else below "/ui/".
 */
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const at = (...parts) => join(here, ...parts);

/* JavaScript of the first view, compressed; more needs a good reason. */
const SCRIPT_MAX_BYTES = 120 * 1024;

const common = {
  bundle: true,
  jsx: 'automatic',
  jsxImportSource: 'preact',
  logLevel: 'warning',
  absWorkingDir: here,
};

async function buildTests() {
  const tests = readdirSync(at('tests')).filter((f) => f.endsWith('.test.ts'));
  rmSync(at('build/tests'), { recursive: true, force: true });
  await build({
    ...common,
    entryPoints: tests.map((f) => at('tests', f)),
    outdir: at('build/tests'),
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    format: 'esm',
    target: 'node18',
    sourcemap: 'inline',
  });
}

function notices() {
  const packages = ['preact', '@preact/signals', '@preact/signals-core', 'uplot'];
  return packages
    .map((name) => {
      const folder = at('node_modules', name);
      const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
      const text = file ? readFileSync(join(folder, file), 'utf8').trim() : '';
      return `${name} ${version} (${license})\n\n${text}\n`;
    })
    .join('\n----------------------------------------\n\n');
}

async function buildPage(outdir) {
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  const result = await build({
    ...common,
    entryPoints: { app: at('src/app.tsx'), style: at('src/styles/main.css') },
    outdir,
    entryNames: '[name].[hash]',
    format: 'esm',
    target: ['chrome105', 'firefox121', 'safari15.4'],
    minify: true,
    legalComments: 'none',
    metafile: true,
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const names = Object.keys(result.metafile.outputs).map((path) => basename(path));
  const icon = readFileSync(at('src/icon.svg'));
  const iconName = `icon.${createHash('sha256').update(icon).digest('hex').slice(0, 8).toUpperCase()}.svg`;
  writeFileSync(join(outdir, iconName), icon);
  writeFileSync(join(outdir, 'notices.txt'), notices());
  const js = names.find((n) => n.startsWith('app.') && n.endsWith('.js'));
  const css = names.find((n) => n.endsWith('.css'));
  const html = readFileSync(at('src/index.html'), 'utf8')
    .replace('{{js}}', js)
    .replace('{{css}}', css)
    .replace('{{icon}}', iconName);
  writeFileSync(join(outdir, 'index.html'), html);
  report(outdir, js);
}

function report(outdir, js) {
  for (const name of readdirSync(outdir).sort()) {
    const bytes = readFileSync(join(outdir, name));
    const packed = gzipSync(bytes, { level: 9 }).length;
    console.log(
      `${name.padEnd(24)} ${String(bytes.length).padStart(8)} bytes, ${String(packed).padStart(7)} compressed`,
    );
    if (name === js && packed > SCRIPT_MAX_BYTES) {
      throw new Error(`${js} is ${packed} bytes compressed, more than ${SCRIPT_MAX_BYTES}`);
    }
  }
}

const outdirFlag = process.argv.find((a) => a.startsWith('--outdir='));
if (process.argv.includes('--tests')) {
  await buildTests();
} else {
  await buildPage(outdirFlag ? outdirFlag.slice('--outdir='.length) : at('dist'));
}
