import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  caCsrHelp,
  caInitHelp,
  caInstallHelp,
  caShowHelp,
  parseCaCsrFlags,
  parseCaInitFlags,
  parseCaInstallFlags,
  parseCaShowFlags,
} from '../../src/cli/ca_flags.ts'
import { nameText } from '../../src/pki/names.ts'

const vault = '--vault=https://contoso.vault.azure.net'
const which = [vault, '--name=root']
const least = [...which, '--subject=CN=Root']

test('a root has no limit of CAs below by default, an intermediate room for one', () => {
  const init = parseCaInitFlags(least)
  const csr = parseCaCsrFlags(least)
  assert(init.ok && csr.ok)
  const { subject, kind, protection, pathLength, years, nameConstraints, dryRun } = init.flags
  assert.deepEqual(
    [nameText(subject), kind, protection, pathLength, years, nameConstraints, dryRun],
    ['CN=Root', 'P-384', 'hsm', undefined, 10, undefined, false],
  )
  assert.deepEqual([csr.flags.pathLength, csr.flags.output], [1, undefined])
})

test('flags are read', () => {
  const args = ['--key-type=RSA-4096', '--protection=software', '--path-length=2', '--years=20']
  const names = [
    '--permit=dns:example.com',
    '--permit=uri:cluster.local',
    '--exclude=ip:10.0.0.0/8',
  ]
  const init = parseCaInitFlags([...least, ...args, ...names, '--dry-run', '--record=r.json'])
  assert(init.ok, JSON.stringify(init))
  const { kind, protection, pathLength, years, nameConstraints, dryRun, record } = init.flags
  assert.deepEqual(
    [kind, protection, pathLength, years, dryRun, record],
    ['RSA-4096', 'software', 2, 20, true, 'r.json'],
  )
  assert.deepEqual(
    [nameConstraints?.permitted.map((one) => one.kind), nameConstraints?.excluded.length],
    [['dns', 'uri'], 1],
  )
  const install = parseCaInstallFlags([...which, '--certificate=c', '--chain=d', '--replace'])
  assert(install.ok)
  const { certificateFile, chainFile, replace } = install.flags
  assert.deepEqual([certificateFile, chainFile, replace], ['c', 'd', true])
  const show = parseCaShowFlags([...which, '--json'])
  assert(show.ok && show.flags.json && show.flags.dryRun)
})

test('a flag that cannot be used is named, with what it takes', () => {
  for (const [flags, words] of [
    [[vault], /--name is missing/],
    [which, /--subject is missing/],
    [[...least, '--subject=Root'], /--subject: "Root" in the subject is not of the form CN=…/],
    [[...least, '--key-type=P-256K'], /--key-type: "P-256K" is none of P-256, P-384/],
    [[...least, '--protection=tpm'], /--protection: "tpm" is none of hsm, software/],
    [[...least, '--path-length=-1'], /--path-length/],
    [[...least, '--years=31'], /--years: "31" is no whole number from 1 to 30/],
    [[...least, '--permit=example.com'], /--permit: "example.com" is not of the form dns:…/],
    [[...least, '--permit=ip:10.0.0.0'], /--permit and --exclude: IP range "10.0.0.0" is not/],
    [
      ['--vault=https://contoso.managedhsm.azure.net', '--name=a', '--subject=CN=a'],
      /--vault: a Managed HSM keeps no secrets/,
    ],
  ] as const) {
    const parsed = parseCaInitFlags(flags)
    assert(!parsed.ok, flags.join(' '))
    assert.match(parsed.message, words)
    assert.match(parsed.message, /See akv-issuer ca init --help\.$/)
  }
  const install = parseCaInstallFlags(which)
  assert(!install.ok)
  assert.match(install.message, /--certificate is missing/)
})

test('every flag is in the help', () => {
  const common = ['vault', 'identity', 'name', 'key-version']
  const shape = ['subject', 'key-type', 'protection', 'path-length', 'permit', 'exclude']
  const recorded = ['record', 'dry-run']
  for (const [help, flags] of [
    [caInitHelp, [...common, ...shape, ...recorded, 'years']],
    [caCsrHelp, [...common, ...shape, ...recorded, 'output']],
    [caInstallHelp, [...common, ...recorded, 'certificate', 'chain', 'replace']],
    [caShowHelp, [...common, 'json']],
  ] as const) {
    for (const flag of flags) assert.match(help, new RegExp(`^ {2}--${flag}\\b`, 'm'))
  }
})
