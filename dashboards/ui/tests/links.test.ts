import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillLink, resolveLink } from '../src/model/links';

const SCOPE = {
  fields: { Instance: 'a:9100', 'Mount point': '/x y' },
  value: 5,
  text: '5 B',
  range: { from: 'now-6h', to: 'now' },
};
const HERE = [{ name: 'host-use', uid: 'sonde-host-use', title: '', description: '', tags: [] }];

test('fields, values and time go into addresses, encoded', () => {
  const cases: [string, string][] = [
    ['${__data.fields.Instance}', 'a%3A9100'],
    ['${__data.fields["Mount point"]}', '%2Fx%20y'],
    ['${__value.raw}', '5'],
    ['${__value.text}', '5%20B'],
    ['?${__url_time_range}', '?from=now-6h&to=now'],
    ['${__data.fields.missing}', ''],
    ['${unknown}', '${unknown}'],
  ];
  for (const [url, filled] of cases) {
    assert.equal(fillLink(url, SCOPE), filled, url);
  }
});

test('links to dashboards open here, scripts never', () => {
  assert.deepEqual(
    resolveLink(
      { url: '/d/sonde-host-use/any?var-instance=${__data.fields.Instance}' },
      SCOPE,
      HERE,
    ),
    {
      kind: 'dashboard',
      dashboard: 'host-use',
      variables: { instance: ['a:9100'] },
    },
  );
  assert.equal(resolveLink({ url: '/d/elsewhere' }, SCOPE, HERE), undefined);
  assert.deepEqual(resolveLink({ url: 'https://example.org/' }, SCOPE, HERE), {
    kind: 'address',
    href: 'https://example.org/',
  });
  assert.equal(resolveLink({ url: 'javascript:alert(1)' }, SCOPE, HERE), undefined);
  assert.equal(resolveLink({}, SCOPE, HERE), undefined);
});
