import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPrivateKey, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Scratch } from '../../src/pki/key_bundle.ts'
import { readPfx } from '../../src/pki/pkcs12.ts'
import { writePfx } from '../../src/pki/pkcs12_write.ts'
import { makeKey } from './keys.ts'
import { type Ca, makeCa } from './make_ca.ts'

const password = 'correct horse battery'

describe('a PFX that was written', () => {
  const root = makeCa({ name: 'root' })
  const key = makeKey('ECDSA P-256')
  const leaf = makeCa({ name: 'leaf', ca: false, keyUsage: 0, key, issuer: root })
  const pkcs8 = new Uint8Array(key.privateKey.export({ type: 'pkcs8', format: 'der' }))
  const chain = [leaf, root].map((ca: Ca) => ca.certificate.der)
  let dir = ''
  let file = ''
  let pfx: Uint8Array

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'pfx-'))
    file = join(dir, 'store.p12')
    const scratch = new Scratch()
    pfx = await writePfx({ key: pkcs8, chain, alias: 'myapp' }, password, randomBytes, scratch)
    scratch.wipe()
    writeFileSync(file, pfx)
  })
  after(() => rmSync(dir, { recursive: true }))

  /** Both streams: keytool tells its errors on standard output. */
  function run(command: string, ...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
    assert.equal(status, 0, stdout + stderr)
    return stdout + stderr
  }

  test('is read back by our own reader', async () => {
    const { keys, certificates } = await readPfx(pfx, password, new Scratch())
    assert.deepEqual(
      { keys: keys.map((one) => one.slice()), certificates },
      { keys: [pkcs8], certificates: chain },
    )
  })

  test('opens with OpenSSL, and says how it is protected', () => {
    const pass = ['-passin', `pass:${password}`]
    const told = run('openssl', 'pkcs12', '-in', file, '-nodes', '-info', ...pass)
    const count = told.match(/PBES2, PBKDF2, AES-256-CBC, Iteration 200000, PRF hmacWithSHA256/g)
    assert.equal(count?.length, 2, told)
    assert.match(told, /MAC: sha256, Iteration 200000/)
    const pem = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/.exec(told)?.[0] ?? ''
    const opened = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' })
    assert.deepEqual(new Uint8Array(opened), pkcs8)
    const subjects = told.match(/^subject=.*$/gm)
    assert.deepEqual(subjects, ['subject=CN = leaf', 'subject=CN = root'])
  })

  test('does not open with another password', () => {
    const args = ['pkcs12', '-in', file, '-nodes', '-passin', 'pass:wrong']
    assert.equal(spawnSync('openssl', args).status, 1)
  })

  const hasKeytool = spawnSync('keytool', ['-help']).error === undefined
  test('opens with Java', { skip: hasKeytool ? false : 'keytool is not installed' }, () => {
    const list = ['-list', '-v', '-storetype', 'PKCS12', '-keystore', file, '-storepass', password]
    const told = run('keytool', ...list, '-J-Xshare:auto')
    assert.match(told, /Alias name: myapp\n/)
    assert.match(told, /Entry type: PrivateKeyEntry\nCertificate chain length: 2\n/)
  })
})
