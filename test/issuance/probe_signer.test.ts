import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readPolicy } from '../../src/api/policy.ts'
import { digestSigner, signatureAlgorithms } from '../../src/devvault/sign_digest.ts'
import { IssuerError } from '../../src/error.ts'
import type { NextCa } from '../../src/issuance/issuer_state.ts'
import { probeSigner } from '../../src/issuance/probe_signer.ts'
import type { ProofPlace } from '../../src/issuance/prove_ca.ts'
import { nameText } from '../../src/pki/names.ts'
import { encodePem } from '../../src/pki/pem.ts'
import { fingerprint } from '../../src/pki/roots.ts'
import { systemRandom } from '../../src/random.ts'
import { parseVaultUrl } from '../../src/vault/cloud.ts'
import type { SignRequest } from '../../src/vault/vault.ts'
import { type Ca, makeCa, now } from '../pki/make_ca.ts'
import { makeNoVault } from '../vault/no_vault.ts'

const version = '0'.repeat(32)
const [a, b] = [makeCa({ name: 'A' }), makeCa({ name: 'B' })]
const keys: ReadonlyMap<string, Ca> = new Map([
  ['a', a],
  ['b', b],
])
const disabled = new IssuerError('VaultKeyUnusable', 'the key is disabled')
const throttled = new IssuerError('VaultThrottled', 'later')

interface Given {
  readonly activate?: boolean
  /** What signing by a key comes to. */
  readonly broken?: Readonly<Record<string, IssuerError>>
  /** In place of the certificate of B. */
  readonly pem?: string
  readonly published?: readonly Ca[]
  readonly before?: NextCa
}

async function probe(given: Given) {
  const signed: string[] = []
  const place: ProofPlace = {
    vault: {
      ...makeNoVault(),
      async sign({ key, algorithm, digest }: SignRequest) {
        const broken = given.broken?.[key.name]
        if (broken) throw broken
        signed.push(key.name)
        const jwk = keys.get(key.name)?.key.privateKey.export({ format: 'jwk' })
        const known = signatureAlgorithms.get(algorithm)
        assert(jwk !== undefined && known !== undefined)
        return digestSigner(jwk)(known, digest)
      },
    },
    location: parseVaultUrl('https://contoso.vault.azure.net', ['.vault.azure.net']),
    references: { configMapText: () => assert.fail('refers to nothing') },
    random: systemRandom,
    now,
    signal: AbortSignal.timeout(10_000),
  }
  const spec = (name: string, pem: string) => ({
    key: { name, version },
    certificate: { type: 'pem', pem } as const,
    chain: undefined,
    signatureAlgorithm: undefined,
    crlDistributionPoints: [],
    ocspServers: [],
    issuingCertificateUrls: [],
  })
  const next = { ...spec('b', given.pem ?? pemOf(b)), activate: given.activate ?? false }
  const mode = {
    type: 'sign',
    ca: spec('a', pemOf(a)),
    next,
    policy: readPolicy(undefined),
    kubernetesCsr: undefined,
  } as const
  const published = (given.published ?? []).map(({ certificate }) => fingerprint(certificate.der))
  const state = await probeSigner(mode, place, { published, next: given.before })
  return {
    found: state.next,
    signer: nameText(state.signer.authority.certificate.subject),
    roots: state.signer.bundle.roots.map(({ subject }) => nameText(subject)),
    next: state.next?.kind === 'broken' ? state.next.message : state.next?.kind,
    signed: signed.toSorted(),
  }
}

describe('a next CA', () => {
  type Row = readonly [string, Given, Omit<Awaited<ReturnType<typeof probe>>, 'found'>]
  const both = ['CN=A', 'CN=B']
  const rows: readonly Row[] = [
    [
      'is proven, and its root published',
      {},
      { signer: 'CN=A', roots: both, next: 'proven', signed: ['a', 'b'] },
    ],
    [
      'signs when it is activated; the one before is asked for nothing but its root',
      { activate: true, broken: { a: disabled } },
      { signer: 'CN=B', roots: both, next: 'proven', signed: ['b'] },
    ],
    [
      'that cannot sign is not published, and does not stop the present one',
      { broken: { b: disabled } },
      { signer: 'CN=A', roots: ['CN=A'], next: disabled.message, signed: ['a'] },
    ],
    [
      'that cannot sign leaves that to the present one although it is activated',
      { activate: true, broken: { b: disabled }, published: [a, b] },
      { signer: 'CN=A', roots: both, next: disabled.message, signed: ['a'] },
    ],
    [
      'that was published stays so though its key cannot sign',
      { broken: { b: disabled }, published: [a, b] },
      { signer: 'CN=A', roots: both, next: disabled.message, signed: ['a'] },
    ],
    [
      'that is the present one is none',
      { pem: pemOf(a) },
      {
        signer: 'CN=A',
        roots: ['CN=A'],
        next: 'spec.ca.next.certificate is that of spec.ca; name the CA that is to follow, or leave next out',
        signed: ['a'],
      },
    ],
    [
      'that is no CA is told by its place in the spec',
      { pem: pemOf(makeCa({ name: 'Leaf', ca: false })) },
      {
        signer: 'CN=A',
        roots: ['CN=A'],
        next: 'spec.ca.next: the CA certificate for CN=Leaf is not a CA: its basicConstraints do not say CA:TRUE; give the certificate of a CA',
        signed: ['a'],
      },
    ],
  ]
  for (const [title, given, expected] of rows) {
    test(title, async () => {
      const { found: _, ...seen } = await probe(given)
      assert.deepEqual(seen, expected)
    })
  }

  test('stays as it was through passing trouble', async () => {
    const { found: before } = await probe({ activate: true })
    assert(before !== undefined)
    const later = await probe({ activate: true, broken: { b: throttled }, before })
    assert.equal(later.found, before)
    assert.equal(later.signer, 'CN=B')
  })

  test('keeps its root through lasting trouble, from one proof to the next', async () => {
    const { found: before } = await probe({})
    assert(before !== undefined)
    const published = [a, b]
    const unreadable = await probe({ pem: 'garbage', published, before })
    assert.deepEqual(unreadable.roots, ['CN=A', 'CN=B'])
    assert.match(unreadable.next ?? '', /^spec\.ca\.next\.certificate\.pem: /)
  })

  test('does not help a present one that cannot sign', async () => {
    await assert.rejects(probe({ broken: { a: disabled } }), disabled)
  })
})

function pemOf({ certificate }: Ca): string {
  return encodePem('CERTIFICATE', certificate.der)
}
