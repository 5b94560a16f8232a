import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { readPfx } from '../../src/devvault/pkcs12_read.ts'
import { writePfx } from '../../src/devvault/pkcs12_write.ts'
import { systemRandom } from '../../src/random.ts'

/** OpenSSL and Java read what is written here and write what is read here. */

const dir = mkdtempSync(join(tmpdir(), 'akv-devvault-pkcs12-'))
after(() => rmSync(dir, { recursive: true }))

function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, {
    cwd: dir,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

const file = (name: string) => readFileSync(join(dir, name))
const der = (name: string) => new X509Certificate(file(name)).raw
const pkcs8 = (name: string) =>
  createPrivateKey(file(name)).export({ format: 'der', type: 'pkcs8' })

before(() => {
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Root')
  for (const [name, algorithm] of [
    ['ec', ec],
    ['rsa', ['-newkey', 'rsa:2048', '-nodes']],
  ] as const) {
    const ca = ['-CA', 'ca.pem', '-CAkey', 'ca.key']
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`]
    openssl('req', '-x509', ...algorithm, ...files, ...ca)
  }
})

function written(name: string): Uint8Array {
  return writePfx(
    {
      key: pkcs8(`${name}.key`),
      certificates: [der('ca.pem'), der(`${name}.pem`)],
      leaf: der(`${name}.pem`),
      keyName: 'container',
    },
    systemRandom,
  )
}

describe('a PFX written as Key Vault does', () => {
  for (const name of ['ec', 'rsa']) {
    test(`opens with OpenSSL, its algorithms and attributes being the recorded ones: ${name}`, () => {
      writeFileSync(join(dir, 'own.pfx'), written(name))
      const output = openssl('pkcs12', '-in', 'own.pfx', '-passin', 'pass:', '-nodes')
      const blocks = output.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n/g) ?? []
      const [key = '', root = '', leaf = ''] = blocks
      assert.equal(blocks.length, 3)
      assert.deepEqual(
        createPrivateKey(key).export({ format: 'der', type: 'pkcs8' }),
        pkcs8(`${name}.key`),
      )
      assert.deepEqual(
        [root, leaf].map((pem) => new X509Certificate(pem).raw),
        [der('ca.pem'), der(`${name}.pem`)],
      )
      const info = spawnSync(
        'openssl',
        ['pkcs12', '-in', 'own.pfx', '-passin', 'pass:', '-info', '-nodes', '-noout'],
        { cwd: dir, encoding: 'utf8' },
      ).stderr
      assert.match(info, /MAC: sha1, Iteration 2000\nMAC length: 20, salt length: 20\n/)
      const scheme = /pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2000/g
      assert.equal(info.match(scheme)?.length, 2)
      assert.match(output, /localKeyID: 01 00 00 00 *\n +friendlyName: container\n/)
      assert.match(output, /Microsoft CSP Name: Microsoft Software Key Storage Provider\n/)
    })
  }

  const hasKeytool = spawnSync('keytool', ['-help']).error === undefined
  test('opens with Java', { skip: hasKeytool ? false : 'keytool is not installed' }, () => {
    writeFileSync(join(dir, 'java.pfx'), written('ec'))
    const args = ['-list', '-storetype', 'PKCS12', '-keystore', 'java.pfx', '-storepass', '']
    const { stdout, stderr } = spawnSync('keytool', [...args, '-J-Xshare:auto'], {
      cwd: dir,
      encoding: 'utf8',
    })
    assert.match(stdout, /Your keystore contains 1 entry\n\ncontainer, .*PrivateKeyEntry/, stderr)
  })

  test('without a key when it may not leave the vault', () => {
    const content = { certificates: [der('ec.pem')], leaf: der('ec.pem'), keyName: 'x' }
    const pfx = writePfx(content, systemRandom)
    assert.deepEqual(readPfx(pfx, ''), { kind: 'read', certificates: [der('ec.pem')], keys: [] })
    writeFileSync(join(dir, 'public.pfx'), pfx)
    const output = openssl('pkcs12', '-in', 'public.pfx', '-passin', 'pass:', '-nodes')
    assert.doesNotMatch(output, /PRIVATE KEY/)
  })
})

describe('a PFX by OpenSSL is read', () => {
  const tripleDes = ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1']
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    ['with AES and PBES2', [], 'secret'],
    ['with AES and a blank password', [], ''],
    ['with a password beyond ASCII', [], 'größer'],
    ['with 3DES', tripleDes, 'secret'],
    ['with 3DES and a blank password', tripleDes, ''],
    ['with AES-128 and SHA-512', ['-keypbe', 'AES-128-CBC', '-macalg', 'sha512'], 'secret'],
    ['with nothing encrypted', ['-keypbe', 'NONE', '-certpbe', 'NONE'], 'secret'],
    ['without a MAC', ['-nomac'], 'secret'],
  ]
  for (const [name, options, password] of cases) {
    test(name, () => {
      exportPfx(options, password)
      const read = readPfx(file('other.pfx'), password)
      assert.equal(read.kind, 'read')
      assert.deepEqual(read.certificates.map(Buffer.from), [der('rsa.pem'), der('ca.pem')])
      const [key = new Uint8Array()] = read.keys
      assert.deepEqual(
        createPrivateKey({ key: Buffer.from(key), format: 'der', type: 'pkcs8' }).export({
          format: 'der',
          type: 'pkcs8',
        }),
        pkcs8('rsa.key'),
      )
    })
  }

  test('but not with RC2, which is named', () => {
    exportPfx(['-certpbe', 'PBE-SHA1-RC2-40', '-legacy'], 'secret')
    assert.deepEqual(readPfx(file('other.pfx'), 'secret'), {
      kind: 'unsupported',
      algorithm: 'pbeWithSHA1And40BitRC2-CBC',
    })
  })

  test('but not with another password', () => {
    exportPfx([], 'secret')
    for (const password of ['', 'Secret', 'secret ']) {
      assert.deepEqual(readPfx(file('other.pfx'), password), { kind: 'wrong password' })
    }
  })

  test('and no broken one throws', () => {
    const good = written('ec')
    for (let at = 0; at < good.length; at += 97) {
      const broken = Uint8Array.from(good)
      broken[at] = (broken[at] ?? 0) ^ 0x55
      assert.notEqual(readPfx(broken, '').kind, 'unsupported', `byte ${at}`)
      assert.equal(readPfx(good.subarray(0, at), '').kind, 'malformed')
    }
    const changed = Uint8Array.from(good)
    changed[100] = (changed[100] ?? 0) ^ 1
    assert.deepEqual(readPfx(changed, ''), { kind: 'wrong password' })
    assert.deepEqual(readPfx(file('ec.pem'), ''), { kind: 'malformed' })
  })
})

function exportPfx(options: readonly string[], password: string): void {
  const input = ['-inkey', 'rsa.key', '-in', 'rsa.pem', '-certfile', 'ca.pem']
  const output = ['-out', 'other.pfx', '-passout', `pass:${password}`]
  openssl('pkcs12', '-export', ...input, ...output, ...options)
}
