import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { sign } from 'node:crypto'
import { describe, test } from 'node:test'
import { checkAuthority } from '../../src/pki/authority.ts'
import { draftCaCsr, sealCsr } from '../../src/pki/csr_write.ts'
import { parseImposedConstraints } from '../../src/pki/imposed_constraints.ts'
import { nameText } from '../../src/pki/names.ts'
import { encodePem } from '../../src/pki/pem.ts'
import { draftRoot, type RootRequest, sealRoot } from '../../src/pki/self_signed.ts'
import { paddingOf, type SignatureAlgorithm } from '../../src/pki/signature_algorithms.ts'
import { parseSubjectKey } from '../../src/pki/subject_key.ts'
import { type KeyPair, type KeyType, keyOf } from './keys.ts'
import { now } from './make_ca.ts'
import { makeName } from './make_csr.ts'
import { accepted, assertRefused } from './outcomes.ts'

const subject = makeName({ '2.5.4.10': 'Contoso', '2.5.4.3': 'Contoso Root' })
const constraints = accepted(
  parseImposedConstraints({ permitted: { dnsDomains: ['example.com'] } }),
)

function rootRequest(key: KeyPair, parts: Partial<RootRequest> = {}): RootRequest {
  return {
    subject,
    key: accepted(parseSubjectKey(key.spki)),
    pathLength: undefined,
    nameConstraints: undefined,
    notBefore: now - 300_000,
    notAfter: now + 315_360_000_000,
    serialBytes: new Uint8Array(16).fill(7),
    ...parts,
  }
}

/** As Key Vault signs. */
function raw(
  { privateKey }: KeyPair,
  { der, algorithm }: { readonly der: Uint8Array; readonly algorithm: SignatureAlgorithm },
): Uint8Array {
  const options = { key: privateKey, dsaEncoding: 'ieee-p1363', ...paddingOf(algorithm) } as const
  return new Uint8Array(sign(algorithm.hash, der, options))
}

function openssl(input: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { input, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}

const kinds: readonly KeyType[] = ['ECDSA P-256', 'ECDSA P-384', 'RSA 2048', 'RSA 4096']

describe('a root that its own key signed', () => {
  for (const kind of kinds) {
    test(`with ${kind} may issue, and OpenSSL reads what was asked for`, () => {
      const key = keyOf(kind)
      const parts = { pathLength: 2, nameConstraints: constraints.value }
      const draft = accepted(draftRoot(rootRequest(key, parts)))
      const root = accepted(sealRoot(draft, raw(key, draft)))
      const authority = accepted(checkAuthority({ certificate: root, pool: [], now }))
      assert.equal(authority.root, root)
      assert.equal(nameText(root.subject), 'CN=Contoso Root,O=Contoso')
      const text = openssl(encodePem('CERTIFICATE', root.der), 'x509', '-noout', '-text')
      assert.match(text, /Basic Constraints: critical\s+CA:TRUE, pathlen:2\n/)
      assert.match(text, /Key Usage: critical\s+Certificate Sign, CRL Sign\n/)
      assert.match(text, /Name Constraints: critical\s+Permitted:\s+DNS:example.com\n/)
      assert.doesNotMatch(text, /Extended Key Usage/)
    })
  }

  test('is refused with the signature of another key, or of other octets', () => {
    const [key, other] = [keyOf('ECDSA P-256'), keyOf('ECDSA P-256', 'another')]
    const draft = accepted(draftRoot(rootRequest(key)))
    assertRefused(sealRoot(draft, raw(other, draft)), 'signature-wrong-key')
    const changed = { ...draft, der: draft.der.slice(0, -1) }
    assertRefused(sealRoot(draft, raw(key, changed)), 'signature-wrong-key')
    assertRefused(sealRoot(draft, new Uint8Array(63)), 'signature-length')
  })

  test('is refused before it is signed when it would be none', () => {
    const key = keyOf('ECDSA P-256')
    const empty = rootRequest(key, { subject: makeName() })
    assertRefused(draftRoot(empty), 'lint')
    assertRefused(draftRoot(rootRequest(key, { notAfter: now - 400_000 })), 'lint')
    assertRefused(draftRoot(rootRequest(keyOf('Ed25519'))), 'ca-algorithm')
  })
})

describe('a request for the certificate of a CA', () => {
  for (const kind of kinds) {
    test(`with ${kind} is by its key, and asks for a CA`, () => {
      const key = keyOf(kind)
      const request = rootRequest(key, { pathLength: 0, nameConstraints: constraints.value })
      const draft = accepted(draftCaCsr(request))
      const { csr, pem } = accepted(sealCsr(draft, raw(key, draft)))
      assert.deepEqual([csr.subject, csr.key.spki], [subject, key.spki])
      assert.deepEqual(csr.extensions.basicConstraints, { ca: true, pathLength: 0 })
      const text = openssl(pem, 'req', '-noout', '-text', '-verify')
      assert.match(text, /CA:TRUE, pathlen:0\n/)
      assert.match(text, /Certificate Sign, CRL Sign\n/)
      assert.match(text, /Permitted:\s+DNS:example.com\n/)
    })
  }

  test('is refused with the signature of another key', () => {
    const [key, other] = [keyOf('ECDSA P-256'), keyOf('ECDSA P-256', 'another')]
    const draft = accepted(draftCaCsr(rootRequest(key)))
    assertRefused(sealCsr(draft, raw(other, draft)), 'signature-invalid')
  })
})
