/* Looks at the web page with a real browser.
 *
 *   node run.mjs BASE_URL [--panels N] [--shots DIR]
 *
 * The server at BASE_URL must hold a few minutes of a host's samples. The run opens the host
 * dashboard, waits until at least N panels (10) have drawn data, and then does what a person does:
 * hovers, zooms, changes range, theme and variable, opens a panel alone, explores, makes a mistake
 * in an expression, narrows the window to a phone. Each step checks what is on screen. In the end
 * nothing may have been written to the console as an error, nothing asked from another origin, and
 * nothing refused by the Content-Security-Policy.
 *
 * Exit status: 0 passed, 1 failed, 77 when there is no browser.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SKIPPED = 77;
const here = dirname(fileURLToPath(import.meta.url));

function option(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : process.argv[at + 1];
}

const base = (process.argv[2] ?? '').replace(/\/?$/, '/');
if (!/^https?:/.test(base)) {
  console.error('usage: node run.mjs BASE_URL [--panels N] [--shots DIR]');
  process.exit(1);
}
const panelsWanted = Number(option('panels', 10));
const shots = option('shots', '');

const executablePath = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((p) => existsSync(p));
let chromium;
try {
  ({ chromium } = createRequire(join(here, '../../dashboards/ui/package.json'))('playwright-core'));
} catch {
  console.log('skipped: playwright-core is not installed; run npm ci in dashboards/ui');
  process.exit(SKIPPED);
}
if (!executablePath) {
  console.log('skipped: no Chromium on this machine');
  process.exit(SKIPPED);
}

const BROWSER_FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];
const PATIENCE_MS = 20_000;

const complaints = [];
/* A mistake in an expression is answered with 400, an unknown trace with 404, which Chromium reports on the console. */
let expectBadRequest = false;
/* So is every request while the server is made unreachable. */
let expectFailures = false;

function check(condition, what) {
  if (!condition) {
    throw new Error(what);
  }
}

function watch(page) {
  page.on('console', (message) => {
    const wanted =
      (expectBadRequest && /status of 40[04]/.test(message.text())) ||
      (expectFailures && /net::ERR_FAILED/.test(message.text()));
    if (message.type() === 'error' && !wanted) {
      complaints.push(`console: ${message.text()}`);
    }
  });
  page.on('pageerror', (error) => complaints.push(`exception: ${error.stack}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !url.startsWith('blob:') && !url.startsWith('data:')) {
      complaints.push(`asked another origin: ${url}`);
    }
  });
}

/* Panels with data whose chart has pixels that are neither background nor grid. */
function drawnPanels() {
  const painted = (canvas) => {
    const { width, height } = canvas;
    if (width === 0 || height === 0) {
      return false;
    }
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    let strong = 0;
    for (let i = 3; i < data.length; i += 4) {
      strong += data[i] > 200 ? 1 : 0;
    }
    return strong > 50;
  };
  return [...document.querySelectorAll('.panel-timeseries[data-state="data"] canvas')].filter(
    painted,
  ).length;
}

const steps = {
  async 'the host dashboard draws curves'(page) {
    await page.goto(`${base}?d=host-use&from=now-15m&to=now&refresh=`);
    await page.waitForSelector('.panel[data-state="data"]', { timeout: PATIENCE_MS });
    const height = await page.evaluate(() => document.body.scrollHeight);
    let drawn = 0;
    // Panels load when they come into sight.
    for (let y = 0; y <= height; y += 500) {
      await page.evaluate((top) => window.scrollTo(0, top), y);
      await page.waitForTimeout(250);
    }
    for (let tries = 0; tries < 40 && drawn < panelsWanted; tries++) {
      drawn = await page.evaluate(drawnPanels);
      await page.waitForTimeout(250);
    }
    check(drawn >= panelsWanted, `${drawn} charts drawn, ${panelsWanted} wanted`);
    const failed = await page.locator('.panel[data-state="error"]').count();
    check(
      failed === 0,
      `${failed} panels show an error: ${await page
        .locator('.panel[data-state="error"]')
        .first()
        .textContent()
        .catch(() => '')}`,
    );
    await page.evaluate(() => window.scrollTo(0, 0));
    const value = await page.locator('.stat-value').first().textContent();
    check(/\d/.test(value), `the first stat shows "${value}"`);
  },

  async 'hovering shows time and values, on other charts the cursor'(page) {
    const over = page.locator('.panel-timeseries .u-over').first();
    await over.scrollIntoViewIfNeeded();
    await over.hover();
    const tooltip = page.locator('.chart-tooltip');
    await tooltip.waitFor({ state: 'visible', timeout: PATIENCE_MS });
    const text = await tooltip.textContent();
    check(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/.test(text), `tooltip without a time: ${text}`);
    const cursors = await page.evaluate(
      () =>
        [...document.querySelectorAll('.u-cursor-x')].filter((n) => !n.classList.contains('u-off'))
          .length,
    );
    check(cursors >= 2, `${cursors} charts follow the cursor`);
  },

  async 'dragging zooms, and the address says so'(page) {
    const box = await page.locator('.panel-timeseries .u-over').first().boundingBox();
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width * 0.4, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, y, { steps: 8 });
    await page.mouse.up();
    await page.waitForURL(/from=\d{13}&to=\d{13}/, { timeout: PATIENCE_MS });
    await page.keyboard.press('z');
    await page.waitForTimeout(300);
    await page.goBack();
    await page.goBack();
    await page.waitForURL(/from=now-15m/, { timeout: PATIENCE_MS });
  },

  async 'the time picker takes quick ranges and typed ones'(page) {
    await page.keyboard.press('t');
    await page.getByRole('option', { name: 'Last 5 minutes', exact: true }).click();
    await page.waitForURL(/from=now-5m&to=now/, { timeout: PATIENCE_MS });
    await page.keyboard.press('t');
    await page.getByLabel('From').fill('now-20m');
    await page.getByLabel('From').press('Enter');
    await page.waitForURL(/from=now-20m&to=now/, { timeout: PATIENCE_MS });
  },

  async 'a panel alone, and back'(page) {
    const panel = page.locator('.panel-timeseries').first();
    await panel.hover();
    await panel.locator('.panel-menu').click();
    await page.getByRole('button', { name: 'View alone' }).click();
    await page.waitForURL(/viewPanel=\d+/, { timeout: PATIENCE_MS });
    await page.waitForSelector('.alone .panel[data-state="data"]', { timeout: PATIENCE_MS });
    await page.keyboard.press('Escape');
    await page.waitForSelector('.row', { timeout: PATIENCE_MS });
  },

  async 'a lost server is said aloud, what was there stays, and all comes back'(page) {
    await page.route('**/api/**', (route) => route.abort());
    expectFailures = true;
    await page.keyboard.press('r');
    await page.locator('.banner').waitFor({ timeout: PATIENCE_MS });
    check((await page.locator('.stat-value').count()) > 0, 'the last values are gone');
    await page.unroute('**/api/**');
    await page.locator('.banner').waitFor({ state: 'detached', timeout: PATIENCE_MS });
    await page.waitForFunction(() => !document.querySelector('.panel-notice'), undefined, {
      timeout: PATIENCE_MS,
    });
    expectFailures = false;
  },

  async 'both themes'(page) {
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    const before = await theme();
    await page.getByLabel('Switch theme').click();
    check((await theme()) !== before, 'the theme did not change');
    await page.waitForTimeout(300);
    await shot(page, `dashboard-${await theme()}`);
    await page.getByLabel('Switch theme').click();
    await shot(page, `dashboard-${before}`);
  },

  async 'the list of hosts leads to each of them'(page) {
    await page.keyboard.press('d');
    await page.getByRole('button', { name: /^Hosts/ }).click();
    await page.waitForURL(/d=hosts/, { timeout: PATIENCE_MS });
    const link = page.locator('.panel-table a').first();
    await link.waitFor({ timeout: PATIENCE_MS });
    await shot(page, 'hosts');
    await link.click();
    await page.waitForURL(/d=host-use&.*var-instance=/, { timeout: PATIENCE_MS });
    await page.waitForSelector('.panel[data-state="data"]', { timeout: PATIENCE_MS });
  },

  async 'the product lists its own targets'(page) {
    await page.keyboard.press('d');
    await page.getByRole('button', { name: /Sonde itself/ }).click();
    await page.waitForURL(/d=sonde/, { timeout: PATIENCE_MS });
    await page.waitForSelector('.panel-table[data-state="data"] tbody tr', {
      timeout: PATIENCE_MS,
    });
    await shot(page, 'sonde');
  },

  async 'a choice goes into the address, and back takes it out'(page) {
    const choice = () => page.locator('.variable-button').first().textContent();
    const before = await choice();
    await page.locator('.variable-button').first().click();
    await page.locator('.option-list button').nth(1).click();
    await page.keyboard.press('Escape');
    const chosen = await choice();
    check(chosen !== before, `nothing was chosen: ${chosen}`);
    await page.waitForURL(/var-job=(?!%24__all)/, { timeout: PATIENCE_MS });
    await page.goBack();
    await page.waitForFunction(
      (text) => document.querySelector('.variable-button').textContent === text,
      before,
      { timeout: PATIENCE_MS },
    );
  },

  async 'explore draws what is typed'(page) {
    await page.keyboard.press('e');
    await page.waitForURL(/\/graph/, { timeout: PATIENCE_MS });
    const editor = page.getByLabel('PromQL expression');
    await editor.fill('rate(node_cpu_seconds_total[1m])');
    await editor.press('Control+Enter');
    await page.waitForSelector('.query-result canvas', { timeout: PATIENCE_MS });
    await page.waitForSelector('.legend-table tbody tr', { timeout: PATIENCE_MS });
    check(/g0\.expr=rate/.test(page.url()), `the address lacks the expression: ${page.url()}`);
    await shot(page, 'explore');
    await page.getByRole('tab', { name: 'Table' }).click();
    await page.waitForSelector('.query-result .table tbody tr', { timeout: PATIENCE_MS });
  },

  async 'a mistake is shown with its place'(page) {
    expectBadRequest = true;
    const editor = page.getByLabel('PromQL expression');
    await editor.fill('sum(rate(node_cpu_seconds_total[1m])');
    await editor.press('Control+Enter');
    const error = page.locator('.query-error');
    await error.waitFor({ timeout: PATIENCE_MS });
    check((await error.textContent()).length > 10, 'the error says nothing');
    await shot(page, 'error');
    await editor.fill('up');
    await editor.press('Control+Enter');
    await error.waitFor({ state: 'detached', timeout: PATIENCE_MS });
    expectBadRequest = false;
  },

  async 'failed traces are found, and one opens'(page) {
    await page.getByRole('button', { name: 'Traces', exact: true }).click();
    await page.waitForURL(/\/traces/, { timeout: PATIENCE_MS });
    await page.waitForSelector('.trace-list tbody tr', { timeout: PATIENCE_MS });
    const all = await page.locator('.trace-list tbody tr').count();
    await page.getByLabel('failed').check();
    await page.waitForURL(/q=.*status/, { timeout: PATIENCE_MS });
    await page.waitForFunction(
      (before) => {
        const rows = [...document.querySelectorAll('.trace-list tbody tr')];
        return (
          rows.length > 0 && rows.length < before && rows.every((r) => /failed/.test(r.textContent))
        );
      },
      all,
      { timeout: PATIENCE_MS },
    );
    await shot(page, 'traces');
    await page.locator('.trace-list a').first().click();
    await page.waitForSelector('.waterfall-row', { timeout: PATIENCE_MS });
    const names = await page.locator('.waterfall-name').allTextContents();
    check(
      names.length === 3 && /POST \/order/.test(names[0]) && /reserve/.test(names[2]),
      `the waterfall shows ${names.join(' | ')}`,
    );
  },

  async 'a span tells what it is, folds, and is filtered for'(page) {
    await page.getByRole('button', { name: 'Next failed' }).click();
    await page.waitForURL(/span=/, { timeout: PATIENCE_MS });
    const details = page.locator('.span-details');
    await details.waitFor({ timeout: PATIENCE_MS });
    check(/order\.id/.test(await details.textContent()), 'the attributes of the span are missing');
    await shot(page, 'trace');
    await page.locator('.fold').first().click();
    check(
      (await page.locator('.waterfall-row').count()) === 1,
      'folding leaves more than the root',
    );
    await page.locator('.fold').first().click();
    await page.getByLabel('Filter spans').fill('postgresql');
    await page.waitForFunction(() => document.querySelectorAll('.waterfall-row').length === 1);
    await page.getByLabel('Filter spans').fill('');
  },

  async 'a trace leads to the numbers of its service'(page) {
    await page.getByRole('button', { name: 'Metrics of shop' }).click();
    await page.waitForURL(/\/graph\?g0\.expr=.*traces_spanmetrics/, { timeout: PATIENCE_MS });
    await page.waitForSelector('.query-result canvas', { timeout: PATIENCE_MS });
    await shot(page, 'service');
  },

  async 'the services show rate, errors and durations'(page) {
    await page.keyboard.press('d');
    await page.getByRole('button', { name: /^Services/ }).click();
    await page.waitForURL(/d=services/, { timeout: PATIENCE_MS });
    const rows = page.locator('.panel-table[data-state="data"] tbody tr');
    await rows.first().waitFor({ timeout: PATIENCE_MS });
    const names = await rows.locator('td:first-child').allTextContents();
    check(names.includes('shop') && names.includes('stock'), `services: ${names.join(', ')}`);
    await shot(page, 'services');
  },

  async 'an exemplar on a graph leads to its trace'(page) {
    const expression = 'histogram_quantile(0.9, sum(rate(traces_spanmetrics_latency[1m])))';
    await page.goto(`${base}graph?g0.expr=${encodeURIComponent(expression)}&from=now-5m&to=now`);
    await page.waitForSelector('.query-result canvas', { timeout: PATIENCE_MS });
    const area = await page.locator('.u-over').first().boundingBox();
    // Where the diamonds are, the pointer finds out.
    const onDiamond = async () => {
      for (let x = area.width - 4; x > 0; x -= 7) {
        for (let y = 4; y < area.height; y += 7) {
          await page.mouse.move(area.x + x, area.y + y);
          if (await page.evaluate(() => document.querySelector('.u-over.on-exemplar') !== null)) {
            return true;
          }
        }
      }
      return false;
    };
    check(await onDiamond(), 'no exemplar on the graph');
    const told = await page.locator('.chart-tooltip').textContent();
    check(/trace_id/.test(told), `the exemplar says ${told}`);
    await shot(page, 'exemplar');
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForURL(/\/traces\?trace=[0-9a-f]{32}/, { timeout: PATIENCE_MS });
    await page.waitForSelector('.waterfall-row', { timeout: PATIENCE_MS });
  },

  async 'a trace that is not there, and TraceQL that is wrong, are said'(page) {
    expectBadRequest = true;
    await page.goto(`${base}traces?trace=00000000000000000000000000000bad`);
    await page.getByRole('heading', { name: 'This trace is not here' }).waitFor();
    await page.getByRole('button', { name: 'Search traces' }).click();
    await page.getByLabel('TraceQL').fill('{ status = eror }');
    await page.getByLabel('TraceQL').press('Enter');
    const error = page.locator('.query-error');
    await error.waitFor({ timeout: PATIENCE_MS });
    check(/character 12/.test(await error.textContent()), 'the error has no place');
    expectBadRequest = false;
  },

  async 'a phone shows the same without scrolling sideways'(page) {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${base}?d=host-use&from=now-15m&to=now&refresh=`);
    await page.waitForSelector('.panel[data-state="data"]', { timeout: PATIENCE_MS });
    await page.waitForTimeout(500);
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    check(wide <= 0, `the page is ${wide} pixels too wide`);
    await shot(page, 'phone');
  },
};

async function shot(page, name) {
  if (shots) {
    mkdirSync(shots, { recursive: true });
    await page.screenshot({ path: join(shots, `${name}.png`) });
  }
}

const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
let failed = false;
try {
  const page = await (
    await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' })
  ).newPage();
  watch(page);
  for (const [name, run] of Object.entries(steps)) {
    try {
      await run(page);
      console.log(`ok   ${name}`);
    } catch (error) {
      failed = true;
      console.log(`FAIL ${name}: ${error.message}`);
      await shot(page, `failed-${name.replace(/\W+/g, '-')}`);
      break;
    }
  }
} finally {
  await browser.close();
}
for (const complaint of complaints) {
  console.log(`FAIL ${complaint}`);
}
process.exit(failed || complaints.length > 0 ? 1 : 0);
