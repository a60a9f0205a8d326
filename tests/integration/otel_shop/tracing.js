'use strict';
// Loaded before the service (node --require): the SDK with its auto-instrumentations. Where spans go is said by
// the usual variables (OTEL_TRACES_EXPORTER=otlp|zipkin, OTEL_EXPORTER_OTLP_PROTOCOL, …_ENDPOINT); SHOP_JAEGER, an
// address or "udp:HOST:PORT", chooses Jaeger's own protocol instead, which these variables do not know.
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { getNodeAutoInstrumentations } = require('@opentelemetry/auto-instrumentations-node');

function jaegerExporter(target) {
  const { JaegerExporter } = require('@opentelemetry/exporter-jaeger');
  const [kind, host, port] = target.split(':');
  return new JaegerExporter(kind === 'udp' ? { host, port: Number(port) } : { endpoint: target });
}

const options = { instrumentations: [getNodeAutoInstrumentations()] };
if (process.env.SHOP_JAEGER) {
  options.traceExporter = jaegerExporter(process.env.SHOP_JAEGER);
}
const sdk = new NodeSDK(options);
sdk.start();

/** Sends what is waiting; then the process may end. */
globalThis.stopTracing = () => sdk.shutdown();
