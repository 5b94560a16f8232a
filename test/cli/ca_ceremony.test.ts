import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { DevVault } from '../../src/devvault/dev_vault.ts'
import type { Fault } from '../../src/devvault/faults.ts'
import { parseCsr } from '../../src/pki/csr.ts'
import { encodePem } from '../../src/pki/pem.ts'
import { at, startHere, stringAt } from '../devvault/here.ts'
import { keyOf } from '../pki/keys.ts'
import { type CaParts, makeCa } from '../pki/make_ca.ts'
import { accepted } from '../pki/outcomes.ts'
import type { CommandResult } from './command.ts'
import { becomeOperator, runCa } from './run_ca.ts'

let vault: DevVault
let dir = ''
before(async () => {
  vault = await startHere()
  becomeOperator(vault)
  dir = mkdtempSync(join(tmpdir(), 'ceremony-'))
})
after(async () => {
  rmSync(dir, { recursive: true })
  await vault.stop()
})
beforeEach(() => {
  vault.control.faults.clear()
  vault.control.journal.reset()
})

const file = (name: string) => join(dir, name)
const rootFlags = ['--subject=CN=Contoso Root,O=Contoso', '--key-type=P-256']
const csrFlags = ['--subject=CN=Contoso Mesh', '--key-type=P-256']

async function manage(method: string, path: string, body: object = {}) {
  return (await vault.control.manage('contoso', method, path, { ...body })).body
}

async function versions(kind: 'keys' | 'secrets', name: string): Promise<number> {
  const list = at(await manage('GET', `${kind}/${name}/versions`), 'value')
  assert(Array.isArray(list))
  return list.length
}

function done(result: CommandResult): CommandResult {
  assert.equal(result.code, 0, result.err)
  return result
}

function refused(result: CommandResult, message: RegExp): void {
  assert.deepEqual([result.code, result.out], [1, ''], result.err)
  assert.match(result.err, message)
}

describe('interrupted, a command goes on and makes nothing twice', () => {
  const interruptions: Readonly<Record<string, Fault>> = {
    'before-key': { operation: 'keys/create', status: 503 },
    'after-key': { operation: 'keys/create', drop: true, afterwards: true },
    'before-signature': { operation: 'keys/sign', status: 500 },
    'after-signature': { operation: 'keys/sign', drop: true, afterwards: true },
    'before-secret': { operation: 'secrets/set', status: 429 },
    'after-secret': { operation: 'secrets/set', drop: true, afterwards: true },
    'first-look': { operation: 'secrets/get', status: 503 },
  }
  for (const [name, fault] of Object.entries(interruptions)) {
    test(`ca init, ${name}`, async () => {
      vault.control.faults.add(fault)
      refused(await runCa('init', name, ...rootFlags), /could not .* at https:\/\/contoso/)
      const { out } = done(await runCa('init', name, ...rootFlags))
      const again = done(await runCa('init', name, ...rootFlags))
      assert.match(again.err, /which is there already; nothing was made/)
      assert.equal(again.out, out)
      assert.deepEqual([await versions('keys', name), await versions('secrets', name)], [1, 1])
    })
  }

  test('ca csr takes the key that an earlier run made', async () => {
    vault.control.faults.add({ operation: 'keys/create', drop: true, afterwards: true })
    refused(await runCa('csr', 'mesh', ...csrFlags), /could not create key "mesh"/)
    const requests = [
      done(await runCa('csr', 'mesh', ...csrFlags)),
      done(await runCa('csr', 'mesh', ...csrFlags)),
    ].map(({ out }) => accepted(parseCsr(out)))
    assert.deepEqual(requests[0]?.key.spki, requests[1]?.key.spki)
    assert.equal(await versions('keys', 'mesh'), 1)
  })
})

test('a dry run changes nothing, and says what would be done and what it would break', async () => {
  const { out, err } = done(
    await runCa('init', 'dry', ...rootFlags, '--path-length=0', '--dry-run'),
  )
  assert.equal(out, '')
  assert.match(err, /would make key https:\/\/contoso\.vault\.azure\.net\/keys\/dry \(P-256, hsm\)/)
  assert.match(err, /note +no CA may stand below .*; Certificates with isCA: true are refused/)
  done(await runCa('csr', 'dry', ...csrFlags, '--dry-run'))
  const changes = vault.control.journal.requests().filter(({ operation }) => {
    return ['keys/create', 'keys/sign', 'secrets/set'].includes(operation)
  })
  assert.deepEqual(changes, [])
})

test('what was made by somebody else, or for something else, is not taken', async () => {
  await manage('POST', 'keys/foreign/create', { kty: 'EC', crv: 'P-256' })
  refused(
    await runCa('init', 'foreign', ...rootFlags),
    /keys\/foreign\/[0-9a-f]{32} was not made by this command — choose another --name, or name its/,
  )
  await manage('PUT', 'secrets/note', { value: 'remember the milk' })
  refused(await runCa('init', 'note', ...rootFlags), /was not made by ca init — choose another/)
  done(await runCa('csr', 'twofold', ...csrFlags))
  refused(await runCa('init', 'twofold', ...rootFlags), /was made for a CA of kind intermediate/)
  done(await runCa('init', 'kept', ...rootFlags))
  refused(
    await runCa('init', 'kept', '--subject=CN=Another', '--key-type=P-256', '--path-length=1'),
    /keeps a root with another subject, path length, for CN=Contoso Root,O=Contoso/,
  )
  refused(
    await runCa('init', 'kept', '--subject=CN=Contoso Root,O=Contoso', '--key-type=P-384'),
    /is ECDSA P-256 in hsm — expected P-384 in hsm/,
  )
})

test('a second key, made by two ceremonies at once, is never taken silently', async () => {
  vault.control.latency = { 'keys/create': 300 }
  const results = await Promise.all([1, 2].map(() => runCa('init', 'twice', ...rootFlags)))
  vault.control.latency = {}
  assert.equal(await versions('keys', 'twice'), 2)
  assert.ok(results.some(({ err }) => /has 2 versions: it was rotated, or two/.test(err)))
  assert.ok((await versions('secrets', 'twice')) <= 1)
  done(await runCa('csr', 'rotated', ...csrFlags))
  await manage('POST', 'keys/rotated/create', {
    kty: 'EC-HSM',
    crv: 'P-256',
    tags: { 'akv-issuer-ca': 'intermediate' },
  })
  refused(await runCa('csr', 'rotated', ...csrFlags), /has 2 versions: it was rotated, or two/)
})

test('a CA whose key was disabled or changed is shown with what is wrong', async () => {
  done(await runCa('init', 'sick', ...rootFlags))
  const made = await manage('POST', 'keys/sick/create', { kty: 'EC', crv: 'P-256' })
  assert.equal(done(await runCa('show', 'sick')).code, 0)
  const version = stringAt(made, 'key', 'kid').split('/').at(-1)
  await manage('PATCH', `keys/sick/${version}`, { attributes: { enabled: false } })
  const { code, out } = await runCa('show', 'sick', `--key-version=${version}`)
  assert.equal(code, 1)
  assert.match(out, /problem +the certificate is not for version [0-9a-f]{32} of the key/)
  assert.match(out, /problem +the key is disabled/)
})

test('a key of a person is used when its version is named', async () => {
  const made = await manage('POST', 'keys/own/create', { kty: 'RSA', key_size: 2048 })
  const version = stringAt(made, 'key', 'kid').split('/').at(-1)
  const kind = ['--key-type=RSA-2048', '--protection=software', `--key-version=${version}`]
  const { out } = done(await runCa('init', 'own', '--subject=CN=Own', ...kind))
  assert.match(out, new RegExp(`key: {name: "own", version: "${version}"}`))
  assert.equal(await versions('keys', 'own'), 1)
})

describe('a certificate for the key of a request', () => {
  const root = makeCa({ name: 'Offline', notBefore: Date.now() - 1e9, notAfter: Date.now() + 1e11 })
  const pem = (ca: ReturnType<typeof makeCa>) => encodePem('CERTIFICATE', ca.certificate.der)
  let spki = new Uint8Array()
  before(async () => {
    const { out } = done(await runCa('csr', 'corp', ...csrFlags))
    const { key } = accepted(parseCsr(out))
    spki = new Uint8Array(key.spki)
    writeFileSync(file('root.pem'), pem(root))
  })

  /** As the offline root makes one; of the key it has the public half alone. */
  function certificateOf(parts: Partial<CaParts> = {}): string {
    const key = { ...keyOf('ECDSA P-256', 'corp'), spki }
    const life = { notBefore: Date.now() - 1e8, notAfter: Date.now() + 1e10 }
    return pem(makeCa({ name: 'Corp', issuer: root, key, ...life, ...parts }))
  }

  const install = (certificate: string, ...flags: readonly string[]) => {
    writeFileSync(file('corp.pem'), certificate)
    return runCa('install', 'corp', `--certificate=${file('corp.pem')}`, ...flags)
  }
  const chain = () => `--chain=${file('root.pem')}`

  test('is refused unless it is fit to issue', async () => {
    const cases: readonly (readonly [string, Partial<CaParts>, RegExp])[] = [
      ['no CA', { ca: false }, /is not a CA: its basicConstraints do not say CA:TRUE/],
      ['no keyCertSign', { keyUsage: 1 }, /may not sign certificates/],
      ['expired', { notAfter: Date.now() - 1e6 }, /expired at/],
      ['not valid yet', { notBefore: Date.now() + 1e9 }, /is not valid before/],
    ]
    for (const [, parts, message] of cases)
      refused(await install(certificateOf(parts), chain()), message)
    refused(await install(certificateOf()), /no certificate was given for CN=Offline, the issuer/)
    refused(await install(pem(root)), /no certificate is for the ECDSA P-256 key .*keys\/corp/)
    assert.equal(await versions('secrets', 'corp'), 0)
    const shown = await runCa('show', 'corp')
    assert.deepEqual(
      [shown.code, /problem +the vault keeps no certificate/.test(shown.out)],
      [1, true],
    )
  })

  test('is kept once, shown, filed, and replaced only when asked', async () => {
    const first = certificateOf()
    const record = file('corp.json')
    const { out } = done(await install(first, chain(), `--record=${record}`))
    assert.match(
      out,
      /certificate:\n.*keyVaultSecret: {name: "corp", version: "[0-9a-f]{32}"}\n {6}pem: \|\n/,
    )
    vault.control.faults.add({ operation: 'secrets/set', status: 503 })
    assert.equal(done(await install(first, chain())).out, out)
    vault.control.faults.clear()
    assert.equal(await versions('secrets', 'corp'), 1)

    const filed: unknown = JSON.parse(readFileSync(record, 'utf8'))
    assert.equal(at(filed, 'certificate', 'subject'), 'CN=Corp')
    assert.equal(at(filed, 'operator', 'tid'), vault.info.tenantId)
    assert.deepEqual(at(filed, 'problems'), [])
    refused(await install(first, chain(), `--record=${record}`), /corp\.json is there already/)

    const second = certificateOf({ keyUsage: 0x60, notAfter: Date.now() + 2e10 })
    refused(
      await install(second, chain()),
      /keeps another certificate — add a version by --replace/,
    )
    done(await install(second, chain(), '--replace'))
    assert.equal(await versions('secrets', 'corp'), 2)
    const { out: shown } = done(await runCa('show', 'corp', '--json'))
    const report: unknown = JSON.parse(shown)
    assert.deepEqual(at(report, 'problems'), [])
    assert.equal(at(report, 'key', 'protection'), 'hsm')
  })
})
