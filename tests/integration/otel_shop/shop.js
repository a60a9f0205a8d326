'use strict';
// A shop of two programs, each with tracing.js in front:
//
//   node --require ./tracing.js shop.js serve       prints its address, runs until SIGTERM
//   node --require ./tracing.js shop.js visit URL [TIMES]
//                                                   asks it for three things, prints their traces, ends; or asks for
//                                                   one order after the other, and for the other two now and then
//
//   GET /orders/7    asks the database for order 7: 200
//   GET /missing     the database refuses: 500, and an exception in the span of the request
//   GET /nowhere     404
const http = require('node:http');
const { trace, SpanStatusCode } = require('@opentelemetry/api');
const { Client } = require('pg');
const { startDatabase } = require('./database.js');

async function look(port, table, id) {
  const client = new Client({ host: '127.0.0.1', port, user: 'shop', database: 'orders', ssl: false });
  await client.connect();
  try {
    const result = await client.query(`SELECT name FROM ${table} WHERE id = ${id}`);
    return result.rows[0].name;
  } finally {
    await client.end();
  }
}

async function handle(port, request, response) {
  const span = trace.getActiveSpan();
  const path = request.url;
  if (path === '/nowhere') {
    response.writeHead(404).end();
    return;
  }
  try {
    const name = path === '/missing' ? await look(port, 'missing', 7)
      : await look(port, 'orders', Number(path.split('/').pop()));
    span.setAttributes({ 'shop.item': name, 'shop.sizes': [38, 39], 'shop.weight': 0.75, 'shop.paid': true });
    span.addEvent('found', { 'shop.shelf': 12 });
    response.end(name);
  } catch (error) {
    span.recordException(error);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    response.writeHead(500).end();
  }
}

async function serve() {
  const port = await startDatabase();
  const server = http.createServer((request, response) => handle(port, request, response));
  server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
  process.on('SIGTERM', async () => {
    await globalThis.stopTracing();
    process.exit(0);
  });
}

function get(url) {
  return new Promise((resolve, reject) => {
    http.get(url, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    }).on('error', reject);
  });
}

async function visitOne(tracer, address, path) {
  await tracer.startActiveSpan(`visit ${path.replace(/[0-9]{2,}$/, '{id}')}`, async (span) => {
    const status = await get(address + path);
    console.log(JSON.stringify({ path, status, trace: span.spanContext().traceId }));
    span.end();
  });
}

async function visit(address, times) {
  const tracer = trace.getTracer('visitor', '1.2.3');
  for (const path of ['/orders/7', '/missing', '/nowhere']) {
    await visitOne(tracer, address, path);
  }
  for (let i = 0; i < times; i++) {
    const path = i % 50 === 49 ? '/missing' : i % 20 === 19 ? '/nowhere' : `/orders/${1000 + i * 7919 % 90000}`;
    await visitOne(tracer, address, path);
  }
  await globalThis.stopTracing();
}

const [, , action, address, times] = process.argv;
(action === 'serve' ? serve() : visit(address, Number(times ?? 0))).catch((error) => {
  console.error(error);
  process.exit(1);
});
