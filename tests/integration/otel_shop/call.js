'use strict';
// Calls one gRPC method after the other on one connection, as lines of JSON on standard input say:
//
//   {"path": "/package.Service/Method", "message": "base64", "gzip": true, "headers": {…}, "times": 1}
//
// and prints one line for each call, in order: {"code": 0, "details": "…", "message": "base64", "retry": ms or null}.
//
//   node call.js ADDRESS [CA-FILE]
const fs = require('node:fs');
const readline = require('node:readline');
const grpc = require('@grpc/grpc-js');

const [, , address, authority] = process.argv;
const credentials = authority
  ? grpc.credentials.createSsl(fs.readFileSync(authority))
  : grpc.credentials.createInsecure();

function client(gzip) {
  return new grpc.Client(address, credentials, {
    'grpc.default_compression_algorithm': gzip ? grpc.compressionAlgorithms.gzip : 0,
    'grpc.max_send_message_length': -1,
    'grpc.enable_retries': 0,
  });
}

const plain = client(false);
const gzipped = client(true);

/** retry_delay of a google.rpc.RetryInfo in a google.rpc.Status, read by its fixed shape; null without one. */
function retryMs(metadata) {
  const [details] = metadata.get('grpc-status-details-bin');
  const name = 'type.googleapis.com/google.rpc.RetryInfo';
  const at = details ? details.indexOf(name) : -1;
  if (at < 0) return null;
  const bytes = details.subarray(at + name.length + 4); // keys and lengths of Any.value and of retry_delay
  let found = 0;
  for (let i = 0; i < bytes.length;) {
    const field = bytes[i++] >> 3;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[i++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    found += field === 1 ? value * 1000 : value / 1e6;
  }
  return found;
}

function call(order) {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(order.headers ?? {})) metadata.set(key, value);
  return new Promise((resolve) => {
    (order.gzip ? gzipped : plain).makeUnaryRequest(order.path, (b) => b, (b) => b,
      Buffer.from(order.message, 'base64'), metadata, { deadline: Date.now() + 60000 },
      (error, answer) => resolve(error
        ? { code: error.code, details: error.details, message: '', retry: retryMs(error.metadata) }
        : { code: 0, details: '', message: answer.toString('base64'), retry: null }));
  });
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    const answers = await Promise.all(Array.from({ length: order.times ?? 1 }, () => call(order)));
    for (const answer of answers) console.log(JSON.stringify(answer));
  }
  plain.close();
  gzipped.close();
})();
