import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRunFlags, runHelp } from '../../src/cli/run_flags.ts'
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
      concurrency: 64,
      leaderElect: true,
      listen: { host: '0.0.0.0', port: 9402 },
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
    'log-level',
  ]) {
    assert.match(runHelp, new RegExp(`^ {2}--${flag}\\b`, 'm'))
  }
})
