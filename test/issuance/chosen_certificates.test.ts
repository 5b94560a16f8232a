import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import { ChosenCertificates, chooserIn } from '../../src/issuance/chosen_certificates.ts'
import { silentLog } from '../../src/log.ts'
import { CertificateDirectory } from '../../src/vault/certificate_directory.ts'
import { FakeClock } from '../fake_clock.ts'
import { FakeVault } from '../vault/fake_vault.ts'
import { makeNoVault } from '../vault/no_vault.ts'
import { makeDeliverer } from './make_delivery.ts'

const all = { all: true } as const
const minute = 60_000
const signal = new AbortController().signal

/** A directory at work, with an issuer that has entry `listed` and a pattern for all else. */
async function choosing() {
  const clock = new FakeClock()
  const vault = new FakeVault()
  const random = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0.5 }
  const owners: string[] = []
  const directory = new CertificateDirectory({
    clock,
    random,
    log: silentLog,
    pollIntervalMs: 5 * minute,
    onChange: (_place, _entry, who) => owners.push(...who),
  })
  void directory.run(signal)
  const deliverer = {
    ...makeDeliverer([
      { name: 'listed', namespaces: all },
      { name: '*', namespaces: all },
    ]),
    vault: { ...makeNoVault(), ...readerOf(vault) },
  }
  const chosen = new ChosenCertificates(directory, clock)
  const keep = (uid: string, name: string | undefined, namespace = 'apps') =>
    chosen.keep({ uid, namespace }, deliverer, name)
  /** Names that are polled, after all had their turn. */
  const polled = async () => {
    const before = vault.calls.length
    await clock.advance(10 * minute)
    return new Set(vault.calls.slice(before))
  }
  await clock.advance(0)
  return { clock, vault, directory, deliverer, chosen, keep, polled, owners }
}

function readerOf(vault: FakeVault) {
  return {
    latestCertificate: (name: string) => vault.latestCertificate(name),
    certificateVersions: (name: string) => vault.certificateVersions(name),
  }
}

const refusal =
  'the annotations of namespace "apps" choose more than 100 certificates; drop some and wait 5 ' +
  'min, or ask the operator of the issuer to name each in spec.certificates'

test('what is chosen is looked after while it is chosen; its chooser is told of news', async () => {
  const { clock, vault, chosen, keep, polled, owners } = await choosing()
  vault.put('team-site', 'v1')
  assert.equal(keep('a', 'team-site'), undefined)
  assert.equal(keep('b', 'Team-Site'), undefined)
  assert.deepEqual(await polled(), new Set(['latest team-site']))
  owners.length = 0
  vault.put('team-site', 'v2')
  await clock.advance(10 * minute)
  assert.deepEqual(owners.map(chooserIn), ['a', 'b'])
  chosen.forget('a')
  assert.deepEqual(await polled(), new Set(['latest team-site']))
  assert.equal(keep('b', undefined), undefined)
  assert.deepEqual(await polled(), new Set())
})

test('a namespace can make the vault pay for 100 choices, and no more', async () => {
  const { vault, chosen, deliverer, keep, polled } = await choosing()
  for (let index = 0; index < 100; index++) assert.equal(keep(`${index}`, `c${index}`), undefined)
  assert.equal(keep('more', 'c100'), refusal)
  const more = { uid: 'more', namespace: 'apps' }
  await assert.rejects(
    chosen.read(more, deliverer, 'c100', signal),
    new IssuerError('CertificateNotOffered', refusal),
  )
  assert.equal((await polled()).size, 100)
  assert.ok(!vault.calls.includes('latest c100'))
  assert.equal(keep('more', 'C7'), undefined, 'what another chooses already costs nothing')
  assert.equal(keep('more', 'listed'), undefined, 'nor does what the issuer lists')
  assert.equal(keep('elsewhere', 'c100', 'web'), undefined, 'other namespaces are not touched')
})

test('an annotation that is changed over and over counts each time, for 5 min', async () => {
  const { clock, vault, keep } = await choosing()
  const refused: string[] = []
  for (let index = 0; index < 1_000; index++) {
    if (keep('restless', `c${index}`) !== undefined) refused.push(`c${index}`)
  }
  await clock.advance(1)
  assert.equal(refused.length, 900)
  assert.ok(vault.calls.length <= 100, `${vault.calls.length} calls`)
  assert.equal(keep('restless', 'c0'), undefined)
  await clock.advance(5 * minute)
  assert.equal(keep('restless', 'c999'), undefined)
})

test('one that was refused has what it chose before looked after no more', async () => {
  const { keep, polled } = await choosing()
  for (let index = 0; index < 100; index++) keep(`${index}`, `c${index}`)
  assert.equal(keep('7', 'c100'), refusal)
  assert.ok(!(await polled()).has('latest c7'))
})
