import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import { KeyMaterialCache } from '../../src/issuance/key_material_cache.ts'
import { encodePem } from '../../src/pki/pem.ts'
import type { ObjectVersion, Vault, VaultSecret } from '../../src/vault/vault.ts'
import { FakeClock } from '../fake_clock.ts'
import { makeNoVault } from '../vault/no_vault.ts'
import { makeVersion } from './make_delivery.ts'

const signal = new AbortController().signal
const version = makeVersion()
const other = makeVersion({ mark: 'other' })

/** A vault of which a test says what each reading of a secret gives. */
function vaultThat(...answers: ReadonlyArray<VaultSecret | IssuerError>) {
  const asked: string[] = []
  const vault: Vault = {
    ...makeNoVault(),
    async secret({ name, version: id }: ObjectVersion) {
      asked.push(`${name}/${id}`)
      const answer = answers[Math.min(asked.length, answers.length) - 1]
      if (answer === undefined || answer instanceof IssuerError) throw answer
      return answer
    },
  }
  return { vault, asked }
}

function secretOf({ certificate, key }: ReturnType<typeof makeVersion>): VaultSecret {
  const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' })
  const value = `${pem}${encodePem('CERTIFICATE', certificate.der)}`
  return { value, contentType: 'application/x-pem-file', managed: true }
}

test('read once for all who take a version within 30 s, and forgotten then', async () => {
  const clock = new FakeClock()
  const cache = new KeyMaterialCache(clock)
  const { vault, asked } = vaultThat(secretOf(version))
  const take = (name: string) => cache.get(vault, name, version, signal)
  const materials = await Promise.all(['myapp', 'MyApp', 'myapp'].map(take))
  assert.deepEqual(asked, ['myapp/v1'])
  assert.equal(new Set(materials).size, 1)
  const spki = createPublicKey(materials[0]?.privateKeyPkcs8Pem ?? '').export({
    type: 'spki',
    format: 'der',
  })
  assert.deepEqual(new Uint8Array(spki), version.certificate.key.spki)
  await clock.advance(29_999)
  await take('myapp')
  assert.equal(asked.length, 1)
  await clock.advance(1)
  await take('myapp')
  assert.equal(asked.length, 2)
})

test('a failure is not kept', async () => {
  const cache = new KeyMaterialCache(new FakeClock())
  const failure = new IssuerError('VaultUnavailable', 'HTTP 503')
  const { vault, asked } = vaultThat(failure, secretOf(version))
  const both = [1, 2].map(() => cache.get(vault, 'myapp', version, signal))
  for (const result of await Promise.allSettled(both)) {
    assert.deepEqual(result, { status: 'rejected', reason: failure })
  }
  await cache.get(vault, 'myapp', version, signal)
  assert.equal(asked.length, 2)
})

test('what one identity may read is not given to another', async () => {
  const cache = new KeyMaterialCache(new FakeClock())
  const mine = vaultThat(secretOf(version))
  const theirs = vaultThat(new IssuerError('VaultForbidden', 'HTTP 403'))
  await cache.get(mine.vault, 'myapp', version, signal)
  await assert.rejects(cache.get(theirs.vault, 'myapp', version, signal), {
    code: 'VaultForbidden',
  })
})

test('a secret of another certificate than the version is not delivered', async () => {
  const cache = new KeyMaterialCache(new FakeClock())
  const { vault } = vaultThat(secretOf(other))
  await assert.rejects(
    cache.get(vault, 'myapp', version, signal),
    new IssuerError(
      'VaultAnswerInvalid',
      'the secret of version v1 of certificate "myapp" holds another certificate than the version ' +
        'itself; nothing is delivered',
    ),
  )
})

test('cleared, it holds nothing and waits for nothing', async () => {
  const clock = new FakeClock()
  const cache = new KeyMaterialCache(clock)
  const { vault, asked } = vaultThat(secretOf(version))
  await cache.get(vault, 'myapp', version, signal)
  cache.clear()
  assert.equal(clock.pending, 0)
  await cache.get(vault, 'myapp', version, signal)
  assert.equal(asked.length, 2)
})
