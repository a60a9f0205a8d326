'use strict';
// As much of PostgreSQL's protocol (version 3, simple queries) as a driver needs to run one: any query has one row
// with one text, except for those that speak of a table that is not there.
const net = require('node:net');

function message(type, ...parts) {
  const body = Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(p + '\0') : p)));
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function int16(value) {
  const b = Buffer.alloc(2);
  b.writeInt16BE(value);
  return b;
}

function int32(value) {
  const b = Buffer.alloc(4);
  b.writeInt32BE(value);
  return b;
}

const ready = message('Z', Buffer.from('I'));

function answer(query) {
  if (query.includes('missing')) {
    return message('E', Buffer.from('S'), 'ERROR', Buffer.from('C'), '42P01', Buffer.from('M'),
      'relation "missing" does not exist', Buffer.from('\0'));
  }
  const text = Buffer.from('a pair of shoes');
  return Buffer.concat([
    message('T', int16(1), 'name', int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)),
    message('D', int16(1), int32(text.length), text),
    message('C', 'SELECT 1'),
  ]);
}

function serve(socket) {
  let waiting = Buffer.alloc(0);
  let greeted = false;
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    waiting = Buffer.concat([waiting, bytes]);
    for (;;) {
      const head = greeted ? 1 : 0; // the first message has no type
      if (waiting.length < head + 4) return;
      const size = head + waiting.readInt32BE(head);
      if (waiting.length < size) return;
      const body = waiting.subarray(head + 4, size);
      if (!greeted) {
        greeted = true;
        socket.write(Buffer.concat([message('R', int32(0)), ready]));
      } else if (waiting[0] === 'Q'.charCodeAt(0)) {
        socket.write(Buffer.concat([answer(body.toString()), ready]));
      }
      waiting = waiting.subarray(size);
    }
  });
}

/** Listens on a free port of loopback; resolves to the port. */
exports.startDatabase = () =>
  new Promise((resolve) => {
    const server = net.createServer(serve);
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
