import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkHelp, parseCheckFlags } from '../../src/cli/check_flags.ts'

const defaults = {
  issuer: undefined,
  namespace: undefined,
  file: undefined,
  kubeconfig: undefined,
  context: undefined,
  clusterResourceNamespace: undefined,
  identity: 'auto',
  withKeys: false,
  json: false,
}

function read(...args: readonly string[]) {
  const parsed = parseCheckFlags(args)
  assert(parsed.ok, JSON.stringify(parsed))
  return parsed.flags
}

test('an issuer is named as for kubectl, or stands in a file', () => {
  const cluster = { kind: 'ClusterIssuer', name: 'akv-issuer' }
  for (const word of [
    'clusterissuer/akv-issuer',
    'ClusterIssuer/akv-issuer',
    'akvci/akv-issuer',
    'clusterissuers.keyvault.akv-issuer.io/akv-issuer',
  ]) {
    assert.deepEqual(read(word), { ...defaults, issuer: cluster })
  }
  assert.deepEqual(
    read('issuer/own', '--namespace=team-a', '--context=aks', '--with-keys', '--json'),
    {
      ...defaults,
      issuer: { kind: 'Issuer', name: 'own' },
      namespace: 'team-a',
      context: 'aks',
      withKeys: true,
      json: true,
    },
  )
  assert.equal(read('issuer/own', '--identity=issuer').identity, 'issuer')
  assert.deepEqual(read('--file=-', '--identity=cli'), { ...defaults, file: '-', identity: 'cli' })
})

test('a flag that cannot be used is named, with what it takes', () => {
  for (const [flags, words] of [
    [[], /name an issuer, as clusterissuer\/NAME, or a file by --file/],
    [['akv-issuer'], /"akv-issuer" is no issuer: expected clusterissuer\/NAME or issuer\/NAME/],
    [['certificate/a'], /"certificate\/a" is no issuer/],
    [['issuer/a/b'], /"issuer\/a\/b" is no issuer/],
    [['issuer/..'], /"issuer\/\.\." is no issuer/],
    [['issuer/a', 'issuer/b'], /"issuer\/b": one issuer at a time/],
    [['clusterissuer/a', '--namespace=b'], /--namespace has no meaning for a ClusterIssuer/],
    [['issuer/a', '--namespace='], /--namespace is missing/],
    [['issuer/a', '--identity=me'], /--identity: "me" is none of auto, environment, workload/],
    [['issuer/a', '--vault=x'], /Unknown option '--vault'/],
  ] as const) {
    const parsed = parseCheckFlags(flags)
    assert(!parsed.ok, flags.join(' '))
    assert.match(parsed.message, words)
    assert.match(parsed.message, /See akv-issuer check --help\.$/)
  }
})

test('every flag is in the help', () => {
  for (const flag of [
    'file',
    'namespace',
    'kubeconfig',
    'context',
    'cluster-resource-namespace',
    'identity',
    'with-keys',
    'json',
  ]) {
    assert.match(checkHelp, new RegExp(`^ {2}--${flag}\\b`, 'm'))
  }
})
