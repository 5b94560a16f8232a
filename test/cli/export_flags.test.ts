import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportHelp, parseExportFlags } from '../../src/cli/export_flags.ts'

const least = ['--vault=https://contoso.vault.azure.net', '--certificate=myapp']
const version = '0123456789abcdef0123456789abcdef'

function read(...args: readonly string[]) {
  const parsed = parseExportFlags([...least, ...args])
  assert(parsed.ok, JSON.stringify(parsed))
  const { location, ...flags } = parsed.flags
  assert.equal(location.url, 'https://contoso.vault.azure.net')
  return flags
}

const defaults = {
  identity: 'auto',
  certificate: 'myapp',
  version: undefined,
  output: undefined,
  force: false,
}

test('each format has flags of its own', () => {
  assert.deepEqual(read(), { ...defaults, format: { type: 'pem', keyOutput: undefined } })
  assert.deepEqual(read('--key-output=k', '--output=c', `--version=${version}`, '--force'), {
    ...defaults,
    version,
    output: 'c',
    force: true,
    format: { type: 'pem', keyOutput: 'k' },
  })
  assert.deepEqual(read('--format=pkcs12', '--password-file=-', '--identity=cli'), {
    ...defaults,
    identity: 'cli',
    format: { type: 'pkcs12', passwordFile: '-' },
  })
  assert.deepEqual(read('--format=secret', '--secret-name=myapp-tls'), {
    ...defaults,
    format: { type: 'secret', place: { name: 'myapp-tls', namespace: undefined } },
  })
})

test('a flag that cannot be used is named, with what it takes', () => {
  for (const [flags, words] of [
    [['--vault=https://evil.example'], /--vault: vaultUrl host "evil.example" does not end in/],
    [['--certificate='], /--certificate is missing/],
    [['--certificate=a/b'], /--certificate: "a\/b" is no name of Key Vault/],
    [['--version=latest'], /--version: "latest" is no version: 32 hexadecimal digits/],
    [['--identity=me'], /--identity: "me" is none of auto, environment, workload, cli, managed/],
    [['--format=jks'], /--format: "jks" is none of pem, pkcs12, secret/],
    [['--format=pkcs12'], /--password-file is missing/],
    [['--key-output='], /--key-output is missing/],
    [['--password-file=p'], /--password-file has no meaning with --format pem/],
    [['--format=secret', '--key-output=k'], /--key-output has no meaning with --format secret/],
    [['--format=secret', '--secret-name=A'], /--secret-name: "A" cannot be the name of a Secret/],
    [
      ['--format=secret', '--secret-name=a', '--namespace=a.b'],
      /--namespace: "a.b" cannot be the name of a namespace/,
    ],
    [['--password=p'], /Unknown option '--password'/],
  ] as const) {
    const parsed = parseExportFlags([...least, ...flags])
    assert(!parsed.ok, flags.join(' '))
    assert.match(parsed.message, words)
    assert.match(parsed.message, /See akv-issuer export --help\.$/)
  }
})

test('every flag is in the help', () => {
  for (const flag of [
    'vault',
    'identity',
    'certificate',
    'version',
    'format',
    'output',
    'key-output',
    'password-file',
    'secret-name',
    'namespace',
    'force',
  ]) {
    assert.match(exportHelp, new RegExp(`^ {2}--${flag}\\b`, 'm'))
  }
})
