/* Services by their requests: rate, errors, durations (RED), from the spans that agents count before
 * any sampling. All services in one table, then the chosen ones span by span, and who calls whom. */
import {
  byName,
  byRegexp,
  dashboard,
  datasourceVariable,
  fixed,
  instant,
  joined,
  manyVariable,
  query,
  row,
  stat,
  steps,
  table,
  timeseries,
} from './grafana.mjs';

/* Counts of spans leave an agent every 15 seconds, whatever the interval of scrapes is. */
const EVERY = '15s';
/* A row of a table looks at the last minutes, not at an instant. */
const LATELY = '[5m]';
const STEP = '[$__rate_interval]';

const CHOSEN = 'service=~"$service"';
/* What a service was asked: its own calls to others count at those. */
const ASKED = `${CHOSEN},span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"`;
const FAILED = `${ASKED},status_code="STATUS_CODE_ERROR"`;

const calls = (selector, over) => `rate(traces_spanmetrics_calls_total{${selector}}${over})`;
const latency = (selector, over) => `rate(traces_spanmetrics_latency{${selector}}${over})`;
const by = (labels, expr) => `sum by (${labels}) (${expr})`;
/* No errors at all are a share of zero, not a gap. */
const errorShare = (labels, over) =>
  `(${by(labels, calls(FAILED, over))} or 0 * ${by(labels, calls(ASKED, over))}) / ${by(labels, calls(ASKED, over))}`;
const quantile = (q, labels, over) =>
  `histogram_quantile(${q}, ${by(labels, latency(ASKED, over))})`;
const graph = (metric, over) =>
  by('client, server', `rate(traces_service_graph_${metric}{server=~"$service"}${over})`);

const ERRORS = steps([null, 'green'], [0.01, 'orange'], [0.05, 'red']);
const SHARE = { unit: 'percentunit', min: 0, decimals: 2 };
const exemplar = { exemplar: true };

const overview = row('Overview', [
  stat(
    'Services',
    'Services that were asked something in the last minutes.',
    [6, 4],
    [query(`count(${by('service', calls(ASKED, LATELY))} > 0)`, 'services')],
    { unit: 'none', color: 'blue' },
  ),
  stat(
    'Requests per second',
    'Of all chosen services.',
    [6, 4],
    [query(`sum(${calls(ASKED, STEP)})`, 'requests')],
    { unit: 'reqps', color: 'blue', interval: EVERY },
  ),
  stat(
    'Errors, worst service',
    'The largest share of failed requests of any service.',
    [6, 4],
    [query(`max(${errorShare('service', STEP)})`, 'failed')],
    { ...SHARE, thresholds: ERRORS, interval: EVERY },
  ),
  stat(
    '99th percentile, slowest service',
    'One of a hundred requests takes longer.',
    [6, 4],
    [query(`max(${quantile(0.99, 'service', STEP)})`, 'p99')],
    { unit: 's', color: 'blue', interval: EVERY },
  ),
]);

const COLUMNS = {
  service: 'Service',
  'Value #A': 'Requests/s',
  'Value #B': 'Errors',
  'Value #C': 'Median',
  'Value #D': '95 %',
  'Value #E': '99 %',
};

const list = row('Services', [
  table(
    'Services now',
    'The last five minutes, a row for each service. Click a name to see it alone.',
    [24, 8],
    [
      instant(by('service', calls(ASKED, LATELY))),
      instant(errorShare('service', LATELY)),
      instant(quantile(0.5, 'service', LATELY)),
      instant(quantile(0.95, 'service', LATELY)),
      instant(quantile(0.99, 'service', LATELY)),
    ],
    {
      sortBy: [{ displayName: 'Errors', desc: true }],
      transformations: joined(COLUMNS),
      overrides: [
        byName('Requests/s', { unit: 'reqps' }),
        byName('Errors', {
          ...SHARE,
          thresholds: ERRORS,
          'custom.cellOptions': { type: 'color-text' },
        }),
        byRegexp('/^(Median|95 %|99 %)$/', { unit: 's' }),
        byName('Service', {
          links: [
            {
              title: 'This service alone',
              url: '/d/sonde-services?var-service=${__data.fields.Service}&${__url_time_range}',
            },
          ],
        }),
      ],
    },
  ),
]);

const perSpan = row('What was asked', [
  timeseries(
    'Requests',
    'Requests per second by service and span.',
    [12, 9],
    [query(by('service, span_name', calls(ASKED, STEP)), '{{service}} {{span_name}}')],
    { unit: 'reqps', interval: EVERY },
  ),
  timeseries(
    'Errors',
    'Share of requests that failed, by service and span.',
    [12, 9],
    [query(errorShare('service, span_name', STEP), '{{service}} {{span_name}}')],
    { unit: 'percentunit', interval: EVERY, softMax: 0.01 },
  ),
  timeseries(
    'Durations',
    'All chosen services together. A diamond is one request: a click opens its trace.',
    [12, 9],
    [
      query(`histogram_quantile(0.99, sum(${latency(ASKED, STEP)}))`, '99 %', exemplar),
      query(`histogram_quantile(0.95, sum(${latency(ASKED, STEP)}))`, '95 %'),
      query(`histogram_quantile(0.5, sum(${latency(ASKED, STEP)}))`, 'median'),
    ],
    { unit: 's', interval: EVERY, fill: 0 },
  ),
  timeseries(
    '99th percentile by span',
    'The slowest of a hundred requests, by service and span.',
    [12, 9],
    [query(quantile(0.99, 'service, span_name', STEP), '{{service}} {{span_name}}')],
    { unit: 's', interval: EVERY, fill: 0 },
  ),
]);

const CALLS = {
  client: 'From',
  server: 'To',
  'Value #A': 'Calls/s',
  'Value #B': 'Failed/s',
  'Value #C': '95 %',
};

const between = row('Who calls whom', [
  table(
    'Calls to the chosen services',
    'From the service graph: who asked, how often, how often in vain, and how long it took there.',
    [24, 8],
    [
      instant(graph('request_total', LATELY)),
      instant(graph('request_failed_total', LATELY)),
      instant(
        `histogram_quantile(0.95, sum by (client, server, le) (rate(traces_service_graph_request_server_seconds_bucket{server=~"$service"}${LATELY})))`,
      ),
    ],
    {
      sortBy: [{ displayName: 'Calls/s', desc: true }],
      transformations: joined(CALLS),
      overrides: [
        byRegexp('/s$/', { unit: 'reqps' }),
        byName('95 %', { unit: 's' }),
        byName('Failed/s', {
          thresholds: steps([null, 'green'], [0.001, 'red']),
          'custom.cellOptions': { type: 'color-text' },
        }),
      ],
    },
  ),
]);

const LOGGED = 'service_name=~"$service"';
const logs = row(
  'From access logs',
  [
    timeseries(
      'Requests',
      'Requests per second that access logs tell of, by service and route.',
      [12, 8],
      [
        query(
          by('service_name, http_route', `rate(http_server_requests_total{${LOGGED}}${STEP})`),
          '{{service_name}} {{http_route}}',
        ),
      ],
      { unit: 'reqps' },
    ),
    timeseries(
      'Server errors',
      'Answers with status 5xx per second, by service.',
      [12, 8],
      [
        query(
          by(
            'service_name',
            `rate(http_server_requests_total{${LOGGED},http_response_status_code=~"5.."}${STEP})`,
          ),
          '{{service_name}}',
        ),
      ],
      { unit: 'reqps', overrides: [byRegexp('/.*/', { color: fixed('red') })] },
    ),
  ],
  true,
);

export default dashboard({
  uid: 'sonde-services',
  title: 'Services',
  description: 'Rate, errors and durations of every service, and who calls whom; from spans.',
  tags: ['sonde', 'service'],
  refresh: '10s',
  from: 'now-30m',
  variables: [
    datasourceVariable(),
    manyVariable('service', 'Service', 'label_values(traces_spanmetrics_calls_total, service)'),
  ],
  rows: [overview, list, perSpan, between, logs],
});
