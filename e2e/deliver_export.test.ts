import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Json, textAt } from './harness/json.ts'
import { logInAz } from './product/az.ts'
import { type CommandOptions, operatorEnv, runCommand } from './product/command.ts'
import type { VaultVersion } from './product/delivered.ts'
import {
  createCertificate,
  createDeliverIssuer,
  type DeliveryScene,
  deliveredSecret,
  startDeliveryScene,
  textOf,
} from './product/delivery_scene.ts'
import { certificatesOf, idOf, issued } from './product/tls_secret.ts'

describe('akv-issuer export', () => {
  let here: DeliveryScene
  let dir = ''
  let version: VaultVersion
  let delivered: Json
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'export-'))
    here = await startDeliveryScene()
    const { scene, leaves, namespace } = here
    version = await leaves.import(scene.vault, 'myapp')
    await createDeliverIssuer(here, 'myapp')
    const privateKey = { algorithm: 'ECDSA', size: 256, encoding: 'PKCS8' }
    await createCertificate(here, 'myapp', { spec: { privateKey } })
    delivered = await deliveredSecret(here, 'myapp', version)
    await issued(scene, namespace, 'myapp')
  })
  after(async () => {
    await here?.scene.stop()
    await rm(dir, { recursive: true, force: true })
  })

  function run(args: readonly string[], options?: CommandOptions) {
    const { vault } = here.scene
    const which = [`--vault=${vault.url}`, '--certificate=myapp']
    return runCommand(vault, ['export', ...which, ...args], options)
  }

  async function ok(args: readonly string[], options?: CommandOptions): Promise<Buffer> {
    const { code, stdout, stderr } = await run(args, options)
    assert.equal(code, 0, stderr)
    return stdout
  }

  test('gives the octets that the issuer delivers', async () => {
    const pem = await ok([])
    assert.equal(pem.toString(), textOf(delivered, 'tls.crt') + textOf(delivered, 'tls.key'))

    const [chain, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')]
    const stdout = await ok([`--output=${chain}`, `--key-output=${key}`])
    assert.equal(stdout.length, 0)
    assert.equal(await readFile(chain, 'utf8'), textOf(delivered, 'tls.crt'))
    assert.equal(await readFile(key, 'utf8'), textOf(delivered, 'tls.key'))
    assert.equal((await stat(key)).mode & 0o777, 0o600)
  })

  test('a Secret for kubectl apply is the one that the issuer makes', async () => {
    const { scene, namespace } = here
    const place = ['--secret-name=by-hand', `--namespace=${namespace}`]
    const manifest = await ok(['--format=secret', ...place])
    const { code, stderr } = await scene.cluster.kubectl(['apply', '-f', '-'], {
      input: manifest.toString(),
    })
    assert.equal(code, 0, stderr)
    const path = `/api/v1/namespaces/${namespace}/secrets/by-hand` as const
    const secret = await scene.cluster.must('GET', path)
    assert.equal(textAt(secret, 'type'), 'kubernetes.io/tls')
    for (const key of ['tls.crt', 'tls.key', 'ca.crt']) {
      assert.equal(textOf(secret, key), textOf(delivered, key), key)
    }
  })

  test('a key store opens with OpenSSL, and holds key and chain', async () => {
    const file = join(dir, 'store.p12')
    const store = ['--format=pkcs12', `--output=${file}`]
    await ok([...store, '--password-file=-'], { input: 'changeit\n' })
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    const args = ['pkcs12', '-in', file, '-nodes', '-passin', 'pass:changeit']
    const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    const chain = certificatesOf(textOf(delivered, 'tls.crt'))
    assert.deepEqual(certificatesOf(stdout).map(idOf), chain.map(idOf))
    const pem = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/.exec(stdout)?.[0] ?? ''
    assert.ok(createPrivateKey(pem).equals(createPrivateKey(textOf(delivered, 'tls.key'))))

    // Not written anew: the password is looked at before.
    const empty = join(dir, 'empty')
    await writeFile(empty, '\n')
    const refused = await run([...store, `--password-file=${empty}`])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /the first line of .*empty is no password/)
  })

  test('an older version is had by its name; the newest is the default', async () => {
    const { scene, leaves } = here
    const next = await leaves.import(scene.vault, 'myapp')
    const [newest] = certificatesOf((await ok([])).toString())
    assert.equal(idOf(newest), idOf(next.leaf))
    const [older] = certificatesOf((await ok([`--version=${version.version}`])).toString())
    assert.equal(idOf(older), idOf(version.leaf))
  })

  test('the account of az login is taken where the environment says nothing', async () => {
    const { vault } = here.scene
    await logInAz(dir, vault)
    const pem = await ok([], { env: { PATH: dir } })
    assert.match(pem.toString(), /-----BEGIN PRIVATE KEY-----/)

    const { code, stderr } = await run([], { env: { PATH: '/nowhere' } })
    assert.equal(code, 1)
    assert.match(
      stderr,
      /could not get a token for the account that az is logged in with: Azure CLI could not be found/,
    )
  })

  test('what is refused leaves nothing behind, and says what to do', async () => {
    const { vault } = here.scene
    const files = await readdir(dir)
    const output = `--output=${join(dir, 'new.pem')}`
    const gone = await run([output, '--certificate=nope'])
    assert.deepEqual([gone.code, gone.stdout.length], [1, 0])
    assert.match(gone.stderr, /could not read certificate "nope" .*HTTP 404 .*not deleted/)

    await vault.manage('PATCH', `certificates/myapp/${version.version}`, {
      attributes: { enabled: false },
    })
    const disabled = await run([output, `--version=${version.version}`])
    assert.equal(disabled.code, 1)
    assert.match(
      disabled.stderr,
      /version [0-9a-f]{32} of certificate "myapp" is disabled; leave out --version/,
    )

    const stranger = { ...operatorEnv(vault), AZURE_CLIENT_SECRET: 'wrong' }
    const wrong = await run([output], { env: stranger })
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /AADSTS7000215 — the client secret is wrong/)

    const misuse = await run(['--format=jks'])
    assert.equal(misuse.code, 2)
    assert.deepEqual(await readdir(dir), files)
  })
})
