import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AuthorityInput, checkAuthority } from '../../src/pki/authority.ts'
import {
  parseCertificate,
  parsePemCertificate,
  parsePemCertificates,
} from '../../src/pki/certificate.ts'
import { buildChain } from '../../src/pki/chain.ts'
import { readDer } from '../../src/pki/der.ts'
import { derNull, explicit, objectIdentifier, sequence } from '../../src/pki/der_writer.ts'
import { keyUsage } from '../../src/pki/key_usage.ts'
import { nameText } from '../../src/pki/names.ts'
import { encodePem } from '../../src/pki/pem.ts'
import type { Parsed, Rule } from '../../src/pki/refusal.ts'
import { signatureAlgorithms } from '../../src/pki/signature_algorithms.ts'
import { keyOf, x509Signature } from './keys.ts'
import { type Ca, type CaParts, day, makeAuthority, makeCa, now } from './make_ca.ts'
import { makeName } from './make_csr.ts'
import { accepted, assertRefused } from './outcomes.ts'

const root = makeCa({ name: 'Root' })
const upper = makeCa({ name: 'Upper', issuer: root })
const lower = makeCa({ name: 'Lower', issuer: upper })

function check(ca: Ca, above: readonly Ca[] = [], more: Partial<AuthorityInput> = {}) {
  const pool = above.map((one) => one.certificate)
  return checkAuthority({ certificate: ca.certificate, pool, now, ...more })
}

function names(certificates: readonly { readonly subject: Uint8Array }[]): readonly string[] {
  return certificates.map((one) => nameText(one.subject))
}

describe('a chain', () => {
  test('is the same whatever the order, strangers and repetitions of the pool', () => {
    const stranger = makeCa({ name: 'Stranger' })
    const pools = [
      [root, upper, lower],
      [lower, upper, root],
      [upper, stranger, root, upper, root],
    ]
    for (const pool of pools) {
      const certificates = pool.map((one) => one.certificate)
      const chain = accepted(buildChain(lower.certificate, certificates))
      assert.deepEqual(names(chain.certificates), ['CN=Lower', 'CN=Upper'])
      assert.equal(chain.root, root.certificate)
    }
  })

  test('of a self-signed certificate is itself', () => {
    const chain = accepted(buildChain(root.certificate, []))
    assert.deepEqual(names(chain.certificates), ['CN=Root'])
    assert.equal(chain.root, root.certificate)
  })

  test('ends where no issuer is known', () => {
    const chain = accepted(buildChain(lower.certificate, [upper.certificate]))
    assert.deepEqual(names(chain.certificates), ['CN=Lower', 'CN=Upper'])
    assert.equal(chain.root, undefined)
  })

  test('goes to the root, not along a cross-signature', () => {
    const old = makeCa({ name: 'Old Root' })
    const cross = makeCa({ name: 'Root', issuer: old, notAfter: now + 9000 * day })
    for (const pool of [
      [old, cross, root],
      [root, cross, old],
    ]) {
      const chain = accepted(
        buildChain(
          upper.certificate,
          pool.map((one) => one.certificate),
        ),
      )
      assert.deepEqual(names(chain.certificates), ['CN=Upper'])
      assert.equal(chain.root, root.certificate)
    }
  })

  test('goes along a cross-signature when only that leads to a root', () => {
    const old = makeCa({ name: 'Old Root' })
    const cross = makeCa({ name: 'Root', issuer: old })
    const pool = [cross.certificate, old.certificate]
    const chain = accepted(buildChain(upper.certificate, pool))
    assert.deepEqual(names(chain.certificates), ['CN=Upper', 'CN=Root'])
    assert.equal(chain.root, old.certificate)
  })

  test('takes the renewed certificate of a CA, which lasts longer', () => {
    const renewed = makeCa({ name: 'Upper', issuer: root, notAfter: now + 5000 * day })
    const pool = [upper, renewed, root].map((one) => one.certificate)
    const chain = accepted(buildChain(lower.certificate, pool))
    assert.equal(chain.certificates[1], renewed.certificate)
  })

  test('ends although two CAs sign each other', () => {
    const a = makeCa({ name: 'A', issuer: makeCa({ name: 'B' }) })
    const b = makeCa({ name: 'B', issuer: makeCa({ name: 'A' }) })
    const pool = [a.certificate, b.certificate]
    assertRefused(buildChain(a.certificate, pool), 'chain-signature')
  })

  test('is refused when a certificate of the issuer’s name has another key', () => {
    const impostor = makeCa({ name: 'Upper', key: keyOf('ECDSA P-256', 'impostor') })
    const outcome = buildChain(lower.certificate, [impostor.certificate, root.certificate])
    assertRefused(outcome, 'chain-signature', /CN=Upper/)
  })

  test('is refused beyond ten certificates', () => {
    const cas = [root]
    for (let n = 0; n < 11; n += 1) {
      cas.push(makeCa({ name: `CA ${n}`, issuer: cas.at(-1) ?? root }))
    }
    const outcome = check(cas.at(-1) ?? root, cas)
    assertRefused(outcome, 'chain-too-long')
  })
})

describe('an authority', () => {
  test('that is a root has no intermediates', () => {
    const authority = accepted(check(root))
    assert.deepEqual(authority.intermediates, [])
    assert.equal(authority.root, root.certificate)
    assert.equal(authority.algorithm.name, 'ES256')
  })

  test('that is an intermediate stands first of the intermediates', () => {
    const authority = accepted(check(lower, [root, upper]))
    assert.deepEqual(names(authority.intermediates), ['CN=Lower', 'CN=Upper'])
    assert.equal(authority.root, root.certificate)
  })

  test('signs as it is told', () => {
    const rsa = makeCa({ key: keyOf('RSA 2048') })
    assert.equal(makeAuthority(rsa, [], 'PS384').algorithm.name, 'PS384')
  })

  const oldRoot: CaParts = { name: 'Old', keyUsage: 0 }
  test('may stand under a root without keyUsage', () => {
    const old = makeCa(oldRoot)
    accepted(check(makeCa({ name: 'Under', issuer: old }), [old]))
  })

  test('may stand under its path length’s limit; self-issued CAs do not count', () => {
    const top = makeCa({ name: 'Limited', pathLength: 1 })
    const renewed = makeCa({ name: 'Limited', issuer: top, key: keyOf('ECDSA P-384') })
    const below = makeCa({
      name: 'Below',
      issuer: renewed,
      signature: x509Signature(renewed.key, signatureAlgorithms.ES384),
    })
    accepted(check(below, [top, renewed]))
  })
})

describe('an authority is refused', () => {
  const limited = makeCa({ name: 'Limited', pathLength: 0 })
  const under = makeCa({ name: 'Under', issuer: limited })
  const notCa = makeCa({
    name: 'Middle',
    issuer: root,
    ca: false,
    keyUsage: keyUsage.digitalSignature,
  })
  const expiredRoot = makeCa({ name: 'Expired', notAfter: now - 1000 })
  const sha1 = {
    ...x509Signature(keyOf('RSA 2048'), signatureAlgorithms.RS256),
    identifier: sequence(objectIdentifier('1.2.840.113549.1.1.5'), derNull),
  }
  const cases: readonly (readonly [string, Rule, RegExp, () => Parsed<unknown>])[] = [
    ['that is no CA', 'ca-flag', /CA:TRUE/, () => check(makeCa({ ca: false }))],
    [
      'without keyCertSign',
      'ca-key-usage',
      /keyCertSign/,
      () => check(makeCa({ keyUsage: keyUsage.cRLSign })),
    ],
    ['without keyUsage', 'ca-key-usage', /keyCertSign/, () => check(makeCa({ keyUsage: 0 }))],
    [
      'that expired',
      'ca-expired',
      /2026-11-22T09:59:59Z/,
      () => check(makeCa({ notAfter: now - 1000 })),
    ],
    [
      'that is not valid yet',
      'ca-not-yet-valid',
      /2026-11-22T10:00:01Z/,
      () => check(makeCa({ notBefore: now + 1000 })),
    ],
    ['without a subject', 'ca-subject-empty', /name/, () => check(makeCa({ subject: makeName() }))],
    ['without its root', 'chain-incomplete', /CN=Root.*CN=Upper/, () => check(lower, [upper])],
    ['without its issuer', 'chain-incomplete', /CN=Upper.*CN=Lower/, () => check(lower, [root])],
    [
      'under a root that expired',
      'ca-expired',
      /CN=Expired/,
      () => check(makeCa({ name: 'Below', issuer: expiredRoot }), [expiredRoot]),
    ],
    [
      'under one that is no CA',
      'ca-flag',
      /CN=Middle/,
      () => check(makeCa({ name: 'Below', issuer: notCa }), [notCa, root]),
    ],
    ['beyond a path length', 'ca-path-length', /allows 0/, () => check(under, [limited])],
    [
      'whose key does not do the algorithm',
      'ca-algorithm',
      /RS256 does not fit.*ES256/,
      () => check(root, [], { algorithm: 'RS256' }),
    ],
    [
      'with an Ed25519 key',
      'ca-algorithm',
      /Ed25519/,
      () => check(makeCa({ key: keyOf('Ed25519') })),
    ],
    [
      'that signed itself with SHA-1',
      'chain-signature',
      /SHA-256/,
      () => check(makeCa({ key: keyOf('RSA 2048'), signature: sha1 })),
    ],
  ]
  for (const [title, rule, words, outcome] of cases) {
    test(`${title}: ${rule}`, () => assertRefused(outcome(), rule, words))
  }

  test('not when its path length is reached', () => void accepted(check(limited)))
})

describe('a certificate bundle', () => {
  test('may have comments between its certificates', () => {
    const text = `# Root\n${pem(root)}\nUpper:\n${pem(upper)}`
    const certificates = accepted(parsePemCertificates(text))
    assert.deepEqual(names(certificates), ['CN=Root', 'CN=Upper'])
  })

  const refused: readonly (readonly [string, Rule, string])[] = [
    ['nothing', 'pem-malformed', ''],
    [
      'a private key beside it',
      'pem-private-key',
      pem(root) + encodePem('RSA PRIVATE KEY', root.certificate.der),
    ],
    ['another kind of block', 'pem-label', pem(root) + encodePem('X509 CRL', root.certificate.der)],
    ['65 certificates', 'pem-too-large', pem(root).repeat(65)],
    ['a block that is no certificate', 'structure', encodePem('CERTIFICATE', sequence(derNull))],
  ]
  for (const [title, rule, text] of refused) {
    test(`with ${title} is refused: ${rule}`, () => assertRefused(parsePemCertificates(text), rule))
  }

  const bad = encodePem('CERTIFICATE', withExtensionTwice())
  const faults: readonly (readonly [string, Rule, RegExp, string])[] = [
    [
      'its number and its subject',
      'extension-duplicate',
      /^certificate 2 of 3 \(CN=Root\): the certificate has extension 2.5.29.19 twice$/,
      pem(upper) + bad + pem(lower),
    ],
    [
      'its number alone where no subject can be read',
      'structure',
      /^certificate 3 of 3: /,
      pem(upper) + pem(lower) + encodePem('CERTIFICATE', sequence(derNull)),
    ],
    [
      'its number where it is not base64',
      'pem-malformed',
      /^block 2 of the certificate bundle is not base64/,
      pem(upper) + pem(lower).replace(/\nM/, '\n!'),
    ],
  ]
  for (const [title, rule, words, text] of faults) {
    test(`says which block is at fault: ${title}`, () => {
      assertRefused(parsePemCertificates(text), rule, words)
    })
  }

  test('never has a part of a private key in the refusal', () => {
    const oneLine =
      '-----BEGIN PRIVATE KEY----- MIIEvQIBADANBgkqhkiG9w0BAQEFAASC -----END PRIVATE KEY-----'
    const outcome = parsePemCertificates(oneLine)
    assertRefused(outcome, 'pem-malformed')
    assert.ok(!outcome.ok && !outcome.refusal.message.includes('MIIE'))
  })

  test('of two is refused where one is asked for', () => {
    assertRefused(parsePemCertificate(pem(root) + pem(upper)), 'pem-malformed', /2 certificates/)
  })

  test('with one signature algorithm inside and another outside is refused', () => {
    const [body, , signature] = readDer(root.certificate.der, 'the certificate').children
    assert.ok(body && signature)
    const der = sequence(body.der, signatureAlgorithms.ES384.identifier, signature.der)
    assertRefused(parseCertificate(der), 'algorithm-mismatch')
  })

  test('with a certificate of version 2 is refused: version', () => {
    assert.throws(() => makeCa({ version: 1 }), /refused by version/)
  })
})

/** A certificate whose first extension stands there twice; its signature does not matter. */
function withExtensionTwice(): Uint8Array {
  const [body, ...rest] = readDer(root.certificate.der, 'the certificate').children
  const fields = body?.children ?? []
  const list = fields.at(-1)?.children[0]?.children ?? []
  const [first] = list
  assert.ok(first)
  const extensions = explicit(3, sequence(first.der, ...list.map((one) => one.der)))
  return sequence(
    sequence(...fields.slice(0, -1).map((one) => one.der), extensions),
    ...rest.map((one) => one.der),
  )
}

function pem(ca: Ca): string {
  return encodePem('CERTIFICATE', ca.certificate.der)
}
