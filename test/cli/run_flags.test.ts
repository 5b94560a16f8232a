import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRunFlags, runHelp } from '../../src/cli/run_flags.ts'
import { eventGridClouds } from '../../src/event_grid/entra_token.ts'
import { cloudBySuffix } from '../../src/vault/cloud.ts'

test('without flags the defaults hold', () => {
  assert.deepEqual(parseRunFlags([]), {
    ok: true,
    flags: {
      kubeconfig: undefined,
      namespace: undefined,
      clusterResourceNamespace: undefined,
      vaultHostSuffixes: [...cloudBySuffix.keys()],
      issuerAmbientIdentity: false,
      probeIntervalMs: 300_000,
      certificatePollIntervalMs: 300_000,
      rotationWindowMs: 2_000,
      reissueRate: 4,
      concurrency: 64,
      leaderElect: true,
      listen: { host: '0.0.0.0', port: 9402 },
      eventGrid: undefined,
      logLevel: 'info',
    },
  })
})

test('flags are read', () => {
  const parsed = parseRunFlags([
    '--kubeconfig=/k',
    '--vault-host-suffixes=.vault.azure.net, .Vault.Azure.cn',
    '--probe-interval=30s',
    '--no-leader-elect',
    '--listen=[::1]:0',
  ])
  assert(parsed.ok)
  const { kubeconfig, vaultHostSuffixes, probeIntervalMs, leaderElect, listen } = parsed.flags
  assert.deepEqual(
    { kubeconfig, vaultHostSuffixes, probeIntervalMs, leaderElect, listen },
    {
      kubeconfig: '/k',
      vaultHostSuffixes: ['.vault.azure.net', '.vault.azure.cn'],
      probeIntervalMs: 30_000,
      leaderElect: false,
      listen: { host: '::1', port: 0 },
    },
  )
})

test('a flag that cannot be used is named, with what it takes', () => {
  for (const [flag, words] of [
    ['--nope', /Unknown option '--nope'/],
    ['extra', /extra/],
    ['--listen=9402', /--listen: "9402" is not of the form HOST:PORT/],
    ['--listen=h:70000', /HOST:PORT/],
    ['--probe-interval=5', /--probe-interval: "5" is no duration of at least 1s/],
    ['--concurrency=0', /--concurrency: "0" is no whole number from 1 to 1024/],
    ['--log-level=loud', /--log-level: "loud" is none of debug, info, warn, error/],
    ['--vault-host-suffixes=.evil.example', /".evil.example" is none of the suffixes known/],
  ] as const) {
    const parsed = parseRunFlags([flag])
    assert(!parsed.ok, flag)
    assert.match(parsed.message, words)
  }
})

const tenant = '11111111-1111-1111-1111-AAAAAAAAAAAA'

test('notices of Event Grid are taken from whoever knows a secret', () => {
  const parsed = parseRunFlags([
    '--event-grid-listen=0.0.0.0:9403',
    '--event-grid-secret-file=/var/run/event-grid/secret',
  ])
  assert(parsed.ok)
  assert.deepEqual(parsed.flags.eventGrid, {
    listen: { host: '0.0.0.0', port: 9403 },
    sender: { kind: 'secret', file: '/var/run/event-grid/secret' },
  })
})

test('or from whoever has a token of a tenant, by default in the public cloud', () => {
  for (const [more, cloud] of [
    [[], 'AzureCloud'],
    [['--event-grid-cloud=AzureUSGovernment'], 'AzureUSGovernment'],
  ] as const) {
    const parsed = parseRunFlags([
      '--event-grid-listen=[::]:9403',
      `--event-grid-tenant=${tenant}`,
      '--event-grid-audience=api://webhook',
      ...more,
    ])
    assert(parsed.ok)
    assert.deepEqual(parsed.flags.eventGrid, {
      listen: { host: '::', port: 9403 },
      sender: {
        kind: 'entra',
        cloud: eventGridClouds.get(cloud),
        tenantId: tenant.toLowerCase(),
        audience: 'api://webhook',
      },
    })
  }
})

test('flags of Event Grid that do not go together are refused', () => {
  const listen = '--event-grid-listen=0.0.0.0:9403'
  const entra = [`--event-grid-tenant=${tenant}`, '--event-grid-audience=api://webhook']
  const oneOf = /needs either --event-grid-secret-file, or --event-grid-tenant and/
  for (const [flags, words] of [
    [entra, /--event-grid-tenant does nothing without --event-grid-listen/],
    [['--event-grid-cloud=AzureCloud'], /--event-grid-cloud does nothing without/],
    [[listen], oneOf],
    [[listen, ...entra.slice(0, 1)], oneOf],
    [[listen, ...entra.slice(1)], oneOf],
    [[listen, '--event-grid-secret-file=/s', ...entra], oneOf],
    [['--event-grid-listen=9403'], /--event-grid-listen: "9403" is not of the form HOST:PORT/],
    [
      [listen, '--event-grid-tenant=contoso.com', ...entra.slice(1)],
      /--event-grid-tenant: "contoso.com" is no tenant id, which is a GUID/,
    ],
    [
      [listen, ...entra, '--event-grid-cloud=AzureChinaCloud'],
      /"AzureChinaCloud" is none of AzureCloud, AzureUSGovernment/,
    ],
  ] as const) {
    const parsed = parseRunFlags(flags)
    assert(!parsed.ok, flags.join(' '))
    assert.match(parsed.message, words)
  }
})

test('every flag is in the help', () => {
  for (const flag of [
    'kubeconfig',
    'namespace',
    'cluster-resource-namespace',
    'vault-host-suffixes',
    'issuer-ambient-identity',
    'probe-interval',
    'concurrency',
    'no-leader-elect',
    'listen',
    'event-grid-listen',
    'event-grid-secret-file',
    'event-grid-tenant',
    'event-grid-cloud',
    'log-level',
  ]) {
    assert.match(runHelp, new RegExp(`^ {2}--${flag}\\b`, 'm'))
  }
})
