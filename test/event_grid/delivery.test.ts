import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Delivery, parseDelivery } from '../../src/event_grid/delivery.ts'
import { cloudEvent, gridEvent, validationEvent, versionData, versionId } from './events.ts'

const notice = { vaultHost: 'contoso.vault.azure.net', certificate: 'myapp' }
const another = gridEvent(
  versionData({
    Id: `https://fabrikam.vault.azure.cn/certificates/Other/${versionId}`,
    VaultName: 'fabrikam',
    ObjectName: 'Other',
  }),
)
const nearExpiry = 'Microsoft.KeyVault.CertificateNearExpiry'

const understood: readonly (readonly [string, unknown, Delivery])[] = [
  ['an event in a list', [gridEvent()], { kind: 'events', notices: [notice], ignored: 0 }],
  ['a CloudEvent', cloudEvent(), { kind: 'events', notices: [notice], ignored: 0 }],
  [
    'a batch of CloudEvents',
    [cloudEvent(), cloudEvent()],
    {
      kind: 'events',
      notices: [notice, notice],
      ignored: 0,
    },
  ],
  [
    'events of several vaults, some of other types',
    [
      gridEvent(),
      another,
      gridEvent(versionData(), nearExpiry),
      gridEvent({}, 'Microsoft.KeyVault.SecretNewVersionCreated'),
      gridEvent({}, 'Microsoft.EventGrid.SubscriptionDeletedEvent'),
    ],
    {
      kind: 'events',
      notices: [notice, { vaultHost: 'fabrikam.vault.azure.cn', certificate: 'Other' }],
      ignored: 3,
    },
  ],
  [
    'a CloudEvent of another type',
    cloudEvent(versionData(), nearExpiry),
    { kind: 'events', notices: [], ignored: 1 },
  ],
  [
    'names in another case, and the port of https',
    [
      gridEvent(
        versionData({
          Id: `https://Contoso.Vault.Azure.net:443/certificates/myapp/${versionId}`,
          VaultName: 'CONTOSO',
          ObjectName: 'MyApp',
        }),
      ),
    ],
    { kind: 'events', notices: [notice], ignored: 0 },
  ],
  [
    'an identifier without the rest',
    [gridEvent({ Id: versionData().Id })],
    { kind: 'events', notices: [notice], ignored: 0 },
  ],
  ['a validation event', [validationEvent()], { kind: 'validation', code: '512d38b6' }],
]

for (const [what, body, expected] of understood) {
  test(`${what} is understood`, () => {
    assert.deepEqual(parseDelivery(JSON.stringify(body)), expected)
  })
}

const id = (text: unknown) => [gridEvent(versionData({ Id: text }))]
const notOfTheForm = 'is not of the form https://HOST/certificates/NAME/VERSION'
const noEvent = 'it is neither an Event Grid event nor a CloudEvent 1.0'

const malformed: readonly (readonly [string, unknown, string])[] = [
  ['no event', [], 'there is no event in it'],
  ['a number', 7, noEvent],
  ['a list in a list', [[gridEvent()]], noEvent],
  ['an event without a type', { ...gridEvent(), eventType: undefined }, noEvent],
  ['a CloudEvent of version 0.3', { ...cloudEvent(), specversion: '0.3' }, noEvent],
  [
    'more events than are taken at once',
    Array.from({ length: 101 }, () => gridEvent()),
    '101 events are more than the 100 that are taken at once',
  ],
  [
    'a validation event among others',
    [validationEvent(), gridEvent()],
    'a validation event comes alone and with a validationCode',
  ],
  [
    'a validation event without its code',
    [validationEvent({ validationCode: 5 })],
    'a validation event comes alone and with a validationCode',
  ],
  ['a new version without data', { ...gridEvent(), data: null }, `data.Id "" ${notOfTheForm}`],
  ['an identifier that is a number', id(5), `data.Id "" ${notOfTheForm}`],
  [
    'an identifier of plain HTTP',
    id(`http://a.b.c/certificates/a/${versionId}`),
    `data.Id "http://a.b.c/certificates/a/${versionId}" ${notOfTheForm}`,
  ],
  [
    'an identifier of a key',
    id(`https://a.b.c/keys/a/${versionId}`),
    `data.Id "https://a.b.c/keys/a/${versionId}" ${notOfTheForm}`,
  ],
  [
    'an identifier without a version',
    id('https://a.b.c/certificates/a'),
    `data.Id "https://a.b.c/certificates/a" ${notOfTheForm}`,
  ],
  [
    'a name with an underscore',
    id(`https://a.b.c/certificates/a_b/${versionId}`),
    `data.Id "https://a.b.c/certificates/a_b/${versionId}" ${notOfTheForm}`,
  ],
  [
    'a host with a user',
    id(`https://u@a.b.c:8443/certificates/a/${versionId}`),
    `data.Id "https://u@a.b.c:8443/certificates/a/${versionId}" ${notOfTheForm}`,
  ],
  [
    'a host that is an address',
    id(`https://[::1]/certificates/a/${versionId}`),
    `data.Id "https://[::1]/certificates/a/${versionId}" ${notOfTheForm}`,
  ],
  ['a long identifier', id('x'.repeat(300)), `data.Id "${'x'.repeat(200)}…" ${notOfTheForm}`],
  ...[
    ['VaultName', 'fabrikam'],
    ['ObjectType', 'Secret'],
    ['ObjectName', 'other'],
  ].map(
    ([key = '', value = '']) =>
      [
        `${key} that the identifier does not have`,
        [gridEvent(versionData({ [key]: value }))],
        `data.${key} "${value}" does not agree with data.Id "${versionData().Id}"`,
      ] as const,
  ),
]

for (const [what, body, reason] of malformed) {
  test(`${what} is refused`, () => {
    assert.deepEqual(parseDelivery(JSON.stringify(body)), { kind: 'malformed', reason })
  })
}

test('what is no JSON is refused', () => {
  for (const text of ['', '{', '[{"a":1}', '\u0000']) {
    assert.deepEqual(parseDelivery(text), { kind: 'malformed', reason: noEvent }, text)
  }
})
