import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { createSecureContext } from 'node:tls'
import { derNull, sequence } from '../../src/pki/der_writer.ts'
import { type KeyMaterial, readKeyMaterial } from '../../src/pki/key_material.ts'
import { nameText } from '../../src/pki/names.ts'
import { encodePem } from '../../src/pki/pem.ts'
import type { Rule } from '../../src/pki/refusal.ts'
import { keyOf } from './keys.ts'
import { type Ca, makeCa } from './make_ca.ts'
import {
  certBag,
  keyBag,
  makePfx,
  pemSecret,
  pkcs12Secret,
  vector,
  vectorText,
} from './make_pfx.ts'
import { accepted, assertRefused } from './outcomes.ts'

/** All that can be told of key material without its keys, after it was checked by others. */
function summary(material: KeyMaterial) {
  const { certificate, chain, root, missing, privateKeyPkcs8Pem, chainPem, rootPem } = material
  const key = createPrivateKey(privateKeyPkcs8Pem)
  assert.match(
    privateKeyPkcs8Pem,
    /^-----BEGIN PRIVATE KEY-----\n[^-]+-----END PRIVATE KEY-----\n$/,
  )
  assert.ok(new X509Certificate(certificate.der).checkPrivateKey(key))
  createSecureContext({ key: privateKeyPkcs8Pem, cert: chainPem, ca: rootPem })
  const blocks = chainPem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g) ?? []
  const parsedChain = blocks.map((pem) => new X509Certificate(pem))
  assert.deepEqual(
    parsedChain.map(({ raw }) => new Uint8Array(raw)),
    chain.map(({ der }) => der),
  )
  for (const [i, issuer] of parsedChain.slice(1).entries()) {
    assert.ok(parsedChain[i]?.verify(issuer.publicKey))
  }
  assert.equal(rootPem, root && encodePem('CERTIFICATE', root.der))
  return {
    chain: chain.map(({ subject }) => nameText(subject)),
    root: root && nameText(root.subject),
    missing: missing.length,
  }
}

async function read(secret: { readonly value: string; readonly contentType: string }) {
  return summary(accepted(await readKeyMaterial(secret)))
}

const whole = { root: 'CN=root', missing: 0 }

describe('a PFX gives the key, its certificate and the chain', () => {
  const files = {
    'as Key Vault writes it, RSA': [
      'vault_rsa',
      { chain: ['CN=rsa', 'CN=intermediate'], ...whole },
    ],
    'as Key Vault writes it, EC': ['vault_ec', { chain: ['CN=ec', 'CN=intermediate'], ...whole }],
    'with AES': ['aes_rsa', { chain: ['CN=rsa', 'CN=intermediate'], ...whole }],
    'by Java': ['java_blank', { chain: ['CN=rsa', 'CN=intermediate'], ...whole }],
    'that is self-signed': ['vault_self', { chain: ['CN=self'], root: 'CN=self', missing: 0 }],
    'without the intermediate': [
      'vault_leaf_alone',
      { chain: ['CN=ec'], root: undefined, missing: 1 },
    ],
    'without the root': [
      'vault_without_root',
      { chain: ['CN=ec', 'CN=intermediate'], root: undefined, missing: 1 },
    ],
  } as const
  for (const [title, [file, expected]] of Object.entries(files)) {
    test(title, async () =>
      assert.deepEqual(await read(pkcs12Secret(vector(`${file}.pfx`))), expected),
    )
  }
})

describe('PEM gives the key, its certificate and the chain', () => {
  const above = [vectorText('intermediate.crt.pem'), vectorText('root.crt.pem')]
  const leafKeys = {
    'PKCS #8, RSA': ['rsa', 'rsa.key'],
    'PKCS #8, EC': ['ec', 'ec.key'],
    'PKCS #8, P-384': ['p384', 'p384.key'],
    'PKCS #8, P-521': ['p521', 'p521.key'],
    'PKCS #8, Ed25519': ['ed25519', 'ed25519.key'],
    'PKCS #1': ['rsa', 'rsa.pkcs1'],
    'SEC 1': ['ec', 'ec.sec1'],
  } as const
  for (const [title, [leaf, key]] of Object.entries(leafKeys)) {
    test(title, async () => {
      const secret = pemSecret(vectorText(`${key}.pem`), vectorText(`${leaf}.crt.pem`), ...above)
      const material = accepted(await readKeyMaterial(secret))
      assert.deepEqual(summary(material), { chain: [`CN=${leaf}`, 'CN=intermediate'], ...whole })
      const expected = createPrivateKey(vectorText(`${leaf}.key.pem`))
      assert.ok(createPrivateKey(material.privateKeyPkcs8Pem).equals(expected))
    })
  }

  const expected = { chain: ['CN=ec', 'CN=intermediate'], ...whole }
  const [key, leaf] = [vectorText('ec.sec1.pem'), vectorText('ec.crt.pem')]
  const layouts: Readonly<Record<string, string>> = {
    'with CRLF line ends': [key, leaf, ...above].join('').replaceAll('\n', '\r\n'),
    'with text between the blocks': [`Bag Attributes\n`, leaf, '\nKey: v\n', key, ...above].join(
      '',
    ),
    'with EC parameters before the key': [
      encodePem('EC PARAMETERS', derNull),
      key,
      leaf,
      ...above,
    ].join(''),
    'without the last line end': [leaf, ...above, key].join('').trimEnd(),
    'with indented lines': [leaf, ...above, key].join('').replaceAll('\n', ' \n  '),
  }
  for (const [title, value] of Object.entries(layouts)) {
    test(title, async () => assert.deepEqual(await read(pemSecret(value)), expected))
  }
})

describe('the chain is repaired', () => {
  const root = makeCa({ name: 'Root' })
  const upper = makeCa({ name: 'Upper', issuer: root })
  const lower = makeCa({ name: 'Lower', issuer: upper })
  const key = keyOf('ECDSA P-256', 'leaf')
  const leaf = makeCa({ name: 'leaf', key, issuer: lower, ca: false, keyUsage: 1 })
  const stranger = makeCa({ name: 'Stranger' })
  const complete = { chain: ['CN=leaf', 'CN=Lower', 'CN=Upper'], root: 'CN=Root', missing: 0 }

  test('whatever the order is', async () => {
    for (const order of permutations([leaf, lower, upper, root, stranger])) {
      assert.deepEqual(await read(await secretOf(order)), complete)
    }
  })

  test('when the leaf and an issuer are there twice', async () => {
    const secret = await secretOf([root, leaf, upper, upper, lower, leaf])
    assert.deepEqual(await read(secret), complete)
  })

  test('to what there is below a gap, which is named', async () => {
    const material = accepted(await readKeyMaterial(await secretOf([root, leaf, lower])))
    assert.deepEqual(summary(material), {
      chain: ['CN=leaf', 'CN=Lower'],
      root: undefined,
      missing: 1,
    })
    assert.match(material.missing[0] ?? '', /no certificate for CN=Upper, the issuer of CN=Lower/)
  })

  test('past a namesake of an issuer', async () => {
    const namesake = makeCa({ name: 'Upper', key: keyOf('ECDSA P-256', 'another'), issuer: root })
    const both = [leaf, lower, namesake, upper, root]
    assert.deepEqual(await read(await secretOf(both)), complete)
    const without = accepted(await readKeyMaterial(await secretOf([leaf, lower, namesake, root])))
    assert.deepEqual(
      without.chain.map(({ subject }) => nameText(subject)),
      ['CN=leaf', 'CN=Lower'],
    )
  })

  test('past a certificate that cannot be read, which is told when one lacks', async () => {
    const unreadable = { ...stranger, certificate: { ...stranger.certificate, der: sequence() } }
    const secret = await secretOf([unreadable, leaf, lower, upper, root])
    assert.deepEqual(await read(secret), complete)
    const material = accepted(await readKeyMaterial(await secretOf([unreadable, leaf, lower])))
    assert.equal(material.missing.length, 2)
    assert.match(material.missing[1] ?? '', /cannot be read: the certificate has no body/)
  })

  test('with the certificate by a CA rather than a self-signed one for the same key', async () => {
    const placeholder = makeCa({ name: 'leaf', key, ca: false, keyUsage: 1 })
    const secret = await secretOf([placeholder, leaf, lower, upper, root])
    assert.deepEqual(await read(secret), complete)
  })

  test('with the newer of two certificates for the same key', async () => {
    const older = makeCa({
      name: 'older',
      key,
      issuer: lower,
      ca: false,
      keyUsage: 1,
      notBefore: leaf.certificate.notBefore - 1000,
    })
    for (const order of [
      [older, leaf],
      [leaf, older],
    ]) {
      const secret = await secretOf([...order, lower, upper, root])
      assert.deepEqual(await read(secret), complete)
    }
  })
})

test('a root that signed itself with SHA-1 is a root', async () => {
  const names = ['under_sha1_root.key', 'sha1_root.crt', 'under_sha1_root.crt']
  assert.deepEqual(await read(pemSecret(...names.map((name) => vectorText(`${name}.pem`)))), {
    chain: ['CN=under_sha1_root'],
    root: 'CN=sha1_root',
    missing: 0,
  })
})

describe('of several keys in a PFX', () => {
  const one = makeCa({ name: 'one', key: keyOf('ECDSA P-256', 'one') })
  const two = makeCa({ name: 'two', key: keyOf('ECDSA P-256', 'two') })
  const bags = [keyBag(pkcs8Of('one')), keyBag(pkcs8Of('two')), certBag(two.certificate.der)]

  test('the one that has a certificate is taken', async () => {
    const expected = { chain: ['CN=two'], root: 'CN=two', missing: 0 }
    assert.deepEqual(await read(pkcs12Secret(await makePfx({ bags }))), expected)
  })

  test('none is taken when two have a certificate', async () => {
    const file = await makePfx({ bags: [...bags, certBag(one.certificate.der)] })
    const outcome = await readKeyMaterial(pkcs12Secret(file))
    assertRefused(outcome, 'key-ambiguous', /2 private keys, of which 2 have a certificate/)
  })

  test('none is taken when none has a certificate', async () => {
    const file = await makePfx({ bags: bags.slice(0, 2) })
    const outcome = await readKeyMaterial(pkcs12Secret(file))
    assertRefused(outcome, 'key-ambiguous', /of which 0 have/)
  })
})

describe('a secret is refused', () => {
  const [leaf, key] = [vectorText('ec.crt.pem'), vectorText('ec.key.pem')]
  const certificate = new Uint8Array(new X509Certificate(leaf).raw)
  const cases: Readonly<
    Record<string, readonly [Parameters<typeof readKeyMaterial>[0], Rule, RegExp]>
  > = {
    'that is no certificate’s': [
      { value: 'hunter2', contentType: 'text/plain' },
      'secret-content-type',
      /"text\/plain"; expected .*application\/x-pkcs12 or application\/x-pem-file/,
    ],
    'without a content type': [{ value: key, contentType: '' }, 'secret-content-type', /""/],
    'that is too large': [pemSecret('A'.repeat(131_073)), 'secret-too-large', /131073/],
    'that is not base64': [
      { value: '*secret*', contentType: 'application/x-pkcs12' },
      'secret-encoding',
      /not base64/,
    ],
    'that is empty': [pkcs12Secret(new Uint8Array()), 'der-malformed', /the PFX/],
    'as PFX without a key': [
      pkcs12Secret(vector('without_key.pfx')),
      'key-not-exportable',
      /key_props\.exportable/,
    ],
    'as PEM without a key': [pemSecret(leaf), 'key-not-exportable', /key_props\.exportable/],
    'as a certificate alone': [pkcs12Secret(certificate), 'key-not-exportable', /not exportable/],
    'as PEM that is empty': [pemSecret(), 'key-not-exportable', /no private key/],
    'with a key and no certificate': [
      pemSecret(key),
      'key-mismatch',
      /none of the 0 .* ECDSA P-256/,
    ],
    'with a key and the certificate of another': [
      pemSecret(key, vectorText('rsa.crt.pem')),
      'key-mismatch',
      /none of the 1 certificates/,
    ],
    'with a certificate that cannot be read': [
      pemSecret(key, encodePem('CERTIFICATE', sequence())),
      'key-mismatch',
      /cannot be read: the certificate has no body/,
    ],
    'with two keys in PEM': [pemSecret(key, key, leaf), 'key-ambiguous', /2 private keys/],
    'with an encrypted PKCS #8 key': [
      pemSecret(leaf, vectorText('ec.encrypted.pem')),
      'pem-encrypted',
      /decrypted/,
    ],
    'with an encrypted PKCS #1 key': [
      pemSecret(leaf, vectorText('rsa.encrypted_pkcs1.pem')),
      'pem-encrypted',
      /decrypted/,
    ],
    'with a DSA key': [
      pemSecret(leaf, encodePem('DSA PRIVATE KEY', sequence())),
      'key-unsupported',
      /"DSA PRIVATE KEY"/,
    ],
    'with a P-256K key in PEM': [
      pemSecret(leaf, vectorText('p256k.key.pem')),
      'key-unsupported',
      /P-256K .* key_props\.crv/,
    ],
    'with a P-256K key in PFX': [
      pkcs12Secret(vector('vault_p256k.pfx')),
      'key-unsupported',
      /P-256K/,
    ],
    'with an RSA key of 1024 bits': [
      pemSecret(vectorText('small.crt.pem'), vectorText('small.key.pem')),
      'key-size',
      /1024 bits/,
    ],
    'with a key on one line': [pemSecret(key.replaceAll('\n', ' ')), 'pem-malformed', /line 1/],
    'with a key that does not end': [pemSecret(key.slice(0, -10)), 'pem-malformed', /END|line/],
    'with a key that is not base64': [
      pemSecret(key.replace('\nMI', '\n*I')),
      'pem-malformed',
      /"PRIVATE KEY" that is not base64/,
    ],
    'with 65 certificates in PEM': [pemSecret(leaf.repeat(65)), 'pem-too-large', /64/],
  }
  for (const [title, [secret, rule, words]] of Object.entries(cases)) {
    test(title, async () => {
      const outcome = await readKeyMaterial(secret)
      assertRefused(outcome, rule, words)
      for (const line of secret.value.split('\n').filter((part) => /^[\w+/=]{20,}$/.test(part))) {
        assert.ok(!outcome.ok && !outcome.refusal.message.includes(line.slice(0, 12)))
      }
    })
  }
})

/** A PFX with the certificates in this order and the key of the leaf. */
async function secretOf(certificates: readonly Ca[]) {
  const bags = certificates.map(({ certificate }) => certBag(certificate.der))
  return pkcs12Secret(await makePfx({ bags: [...bags, keyBag(pkcs8Of('leaf'))] }))
}

function pkcs8Of(name: string): Uint8Array {
  const { privateKey } = keyOf('ECDSA P-256', name)
  return new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' }))
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length < 2) return [items]
  return items.flatMap((first, i) =>
    permutations(items.toSpliced(i, 1)).map((rest) => [first].concat(rest)),
  )
}
