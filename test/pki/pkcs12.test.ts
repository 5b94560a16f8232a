import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  derNull,
  objectIdentifier,
  octetString,
  sequence,
  tagged,
  unsignedInteger,
} from '../../src/pki/der_writer.ts'
import { Effort } from '../../src/pki/effort.ts'
import { Scratch } from '../../src/pki/key_bundle.ts'
import { oid } from '../../src/pki/oids.ts'
import { readPfx } from '../../src/pki/pkcs12.ts'
import { deriveOctets, type KdfHash, passwordForms } from '../../src/pki/pkcs12_kdf.ts'
import { parsedAsync, type Rule } from '../../src/pki/refusal.ts'
import {
  bag,
  certBag,
  content,
  dataContent,
  encryptedContent,
  keyBag,
  makePfx,
  type PfxParts,
  vector,
  vectorText,
} from './make_pfx.ts'
import { accepted, assertRefused } from './outcomes.ts'

function open(file: Uint8Array, password = '') {
  return parsedAsync(() => readPfx(file, password, new Scratch()))
}

function certificate(name: string): Uint8Array {
  return new Uint8Array(new X509Certificate(vector(`${name}.crt.pem`)).raw)
}

function privateKey(name: string): Uint8Array {
  const options = { type: 'pkcs8', format: 'der' } as const
  return new Uint8Array(createPrivateKey(vectorText(`${name}.key.pem`)).export(options))
}

/** As node:crypto writes it: without the attributes that some writers add. */
function normalized(pkcs8: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  return new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }))
}

describe('the key derivation of PKCS #12 gives what OpenSSL 3.0 gives (openssl kdf PKCS12KDF)', () => {
  const cases: readonly (readonly [KdfHash, 'key' | 'mac' | 'iv', number, string, string])[] = [
    [
      'sha1',
      'key',
      2048,
      '0073006500730061006d00650000',
      '7cd9fd3e2b3be7691a44e3bef0f9ea0fb9b897d4e325d9d1',
    ],
    ['sha1', 'key', 2048, '0000', 'acf63745479269274952fb07d32cadfa45c60ad7e1b7e319'],
    ['sha1', 'mac', 1, '007300650073', '2ed85f5c3399a1028b9e3292b5a594d9c664fb0e'],
    [
      'sha256',
      'mac',
      1000,
      '0000',
      'f1e1e744a9b9913f19054ff5d26f14a5e801d2318e928d4922af78441d37c6ee',
    ],
    [
      'sha384',
      'key',
      3,
      '007300650073',
      '59ea5dd20babe21a081c1e698f0f4928f8bc5463996311d12737cbd32b07e3e346faa4ec56c8a4bbdeddf87ab1c7b6f986e8989748e2d6dd55fd4a71e7599e3a71e9400ef00662e7067dca13c9984043d395710514d56177a58443c054eb7cae6bdaee2d',
    ],
    [
      'sha512',
      'iv',
      2,
      '0000',
      'f5188cddd40030b123e33e60a4ecd689468989caf9de8d68ddb1417ed60e33be7aaf082bb48ba19b687e465eb80af322235caf7414722d8642b5b99234deac131ac340ee3038114267578283ef278e86c2022fbe6995ce5dcc4be389448f5fa2b0bdb6e1cc2a0cd6503bd9b09d2a9f205dc2c2c2086f87b02d99720a1985ee43bc29',
    ],
  ]
  for (const [hash, purpose, iterations, password, expected] of cases) {
    test(`${hash}, ${purpose}, ${iterations} iterations, password ${password}`, async () => {
      const input = {
        hash,
        password: new Uint8Array(Buffer.from(password, 'hex')),
        salt: new Uint8Array(8).fill(0xff),
        iterations,
      }
      const octets = await deriveOctets(input, purpose, expected.length / 2, new Effort())
      assert.equal(Buffer.from(octets).toString('hex'), expected)
    })
  }

  test('without holding up other work', async () => {
    const [password = new Uint8Array()] = passwordForms('sesame')
    let turns = 0
    const count = setInterval(() => {
      turns += 1
    }, 0)
    const input = { hash: 'sha1', password, salt: password, iterations: 50_000 } as const
    await deriveOctets(input, 'mac', 20, new Effort())
    clearInterval(count)
    assert.ok(turns >= 5, `${turns} turns of the event loop`)
  })
})

describe('a PFX is opened', () => {
  const above = ['intermediate', 'root']
  /** File, password, key and certificates. */
  const files: Readonly<Record<string, readonly [string, string, string, readonly string[]]>> = {
    'as Key Vault writes it, RSA': ['vault_rsa', '', 'rsa', ['rsa', ...above]],
    'as Key Vault writes it, EC': ['vault_ec', '', 'ec', ['ec', ...above]],
    'with AES-256, RSA': ['aes_rsa', '', 'rsa', ['rsa', ...above]],
    'with AES-256, EC': ['aes_ec', '', 'ec', ['ec', ...above]],
    'with AES-128, AES-192 and a SHA-384 MAC': ['aes_mixed', '', 'p384', ['p384', ...above]],
    'with 3DES of two keys and a SHA-512 MAC': ['two_key_3des', '', 'ec', ['ec']],
    'without encryption': ['unencrypted', '', 'ec', ['ec', ...above]],
    'without iteration counts': ['one_iteration', '', 'ec', ['ec']],
    'with a password': ['password', 'changeit', 'ec', ['ec']],
    'by keytool': ['keytool', 'changeit', 'rsa', ['rsa', ...above]],
    'by keytool, with 3DES': ['keytool_3des', 'changeit', 'rsa', ['rsa', ...above]],
    'by keytool, with AES by HMAC-SHA-1 and HMAC-SHA-512': [
      'keytool_mixed',
      'changeit',
      'rsa',
      ['rsa', ...above],
    ],
    'by Java, with a blank password': ['java_blank', '', 'rsa', ['rsa', ...above]],
    'by Java, with a blank password and 3DES': ['java_blank_3des', '', 'rsa', ['rsa', ...above]],
  }
  for (const [title, [file, password, key, certificates]] of Object.entries(files)) {
    test(title, async () => {
      const bundle = accepted(await open(vector(`${file}.pfx`), password))
      assert.deepEqual(bundle.keys.map(normalized), [privateKey(key)])
      assert.deepEqual(bundle.certificates, certificates.map(certificate))
    })
  }

  const key = privateKey('ec')
  const leaf = certificate('ec')
  const root = certificate('root')
  const friendlyName = sequence(
    objectIdentifier('1.2.840.113549.1.9.20'),
    tagged(0x31, tagged(0x1e, Uint8Array.of(0, 0x61))),
  )
  const structures: Readonly<Record<string, PfxParts>> = {
    'with the key after the certificates': { bags: [certBag(leaf), certBag(root), keyBag(key)] },
    'with the key between the certificates': { bags: [certBag(leaf), keyBag(key), certBag(root)] },
    'with bags in bags': {
      bags: [
        bag(oid.safeContentsBag, sequence(bag(oid.safeContentsBag, sequence(certBag(leaf))))),
        bag(oid.safeContentsBag, sequence(certBag(root), keyBag(key))),
      ],
    },
    'with one content each': {
      contents: [certBag(leaf), certBag(root), keyBag(key)].map((one) =>
        dataContent(sequence(one)),
      ),
    },
    'with names, a revocation list, a secret and a certificate of another kind': {
      bags: [
        bag('1.2.840.113549.1.12.10.1.4', derNull),
        bag('1.2.840.113549.1.12.10.1.5', derNull),
        certBag(leaf),
        certBag(leaf, '1.2.840.113549.1.9.22.2'),
        certBag(root),
        bag(oid.keyBag, key, tagged(0x31, friendlyName)),
      ],
    },
  }
  for (const [title, parts] of Object.entries(structures)) {
    test(title, async () => {
      const { keys, certificates } = accepted(await open(await makePfx(parts)))
      assert.deepEqual({ keys, certificates }, { keys: [key], certificates: [leaf, root] })
    })
  }
})

test('keys are zeroed when the reading ends, certificates are not', async () => {
  for (const name of ['vault_ec', 'unencrypted']) {
    const scratch = new Scratch()
    const { keys, certificates } = await readPfx(vector(`${name}.pfx`), '', scratch)
    scratch.wipe()
    assert.ok(keys.every((key) => key.length > 0 && key.every((octet) => octet === 0)))
    assert.deepEqual(certificates, ['ec', 'intermediate', 'root'].map(certificate))
  }
})

describe('a PFX is refused', () => {
  const files: Readonly<Record<string, readonly [string, Rule, RegExp]>> = {
    'with RC2 of 40 bits': ['legacy_rc2_40', 'pfx-algorithm', /RC2 \(40 bits\).*as PEM/],
    'with RC2 of 128 bits': ['legacy_rc2_128', 'pfx-algorithm', /RC2 \(128 bits\)/],
    'without a MAC': ['without_mac', 'pfx-mac', /no MAC/],
    'with a password that is not blank': ['password', 'pfx-mac', /blank password/],
    'with 3,000,000 iterations': ['many_iterations', 'pfx-iterations', /fewer iterations/],
  }
  for (const [title, [file, rule, words]] of Object.entries(files)) {
    test(title, async () => assertRefused(await open(vector(`${file}.pfx`)), rule, words))
  }

  test('by Java before 16, for its RC2', async () => {
    const outcome = await open(vector('keytool_legacy.pfx'), 'changeit')
    assertRefused(outcome, 'pfx-algorithm', /RC2 \(40 bits\)/)
  })

  test('with a wrong password', async () => {
    assertRefused(await open(vector('aes_ec.pfx'), 'changeit'), 'pfx-mac')
  })

  test('with one octet of its content changed', async () => {
    const file = vector('vault_ec.pfx')
    file[1000] = (file[1000] ?? 0) ^ 1
    assertRefused(await open(file), 'pfx-mac')
  })

  test('in BER with indefinite lengths', async () => {
    const der = vector('vault_ec.pfx')
    const file = Uint8Array.of(0x30, 0x80, ...der.subarray(4), 0, 0)
    assertRefused(await open(file), 'pfx-encoding', /as PEM/)
  })

  test('with octets behind it', async () => {
    const file = Uint8Array.of(...vector('vault_ec.pfx'), 0)
    assertRefused(await open(file), 'der-malformed')
  })

  const rc4 = sequence(objectIdentifier(oid.pbeSha1Rc4Of128), sequence())
  const structures: Readonly<Record<string, readonly [PfxParts, Rule, RegExp]>> = {
    'of version 4': [{ version: 4 }, 'version', /version 4/],
    'signed with a key': [
      { authSafe: content('1.2.840.113549.1.7.2', sequence()) },
      'pfx-mac',
      /signed/,
    ],
    'encrypted for a key': [
      { contents: [content('1.2.840.113549.1.7.3', sequence())] },
      'pfx-algorithm',
      /1\.2\.840\.113549\.1\.7\.3/,
    ],
    'with RC4': [
      { contents: [encryptedContent(rc4, new Uint8Array(8))] },
      'pfx-algorithm',
      /RC4 \(128 bits\)/,
    ],
    'with a MAC by MD5': [{ digestOid: '1.2.840.113549.2.5' }, 'pfx-algorithm', /2\.5/],
    'with a MAC of another length than its hash': [
      { digestOid: oid.sha1 },
      'structure',
      /32 octets/,
    ],
    'with a MAC of 0 iterations': [{ iterations: unsigned(0) }, 'pfx-iterations', /below 1/],
    'with a MAC of 700,000 iterations': [
      { iterations: unsigned(10, 174, 96) },
      'pfx-iterations',
      /500000/,
    ],
    'with a MAC of 2^64 iterations': [
      { iterations: unsigned(1, 0, 0, 0, 0, 0, 0, 0, 0) },
      'pfx-iterations',
      /500000/,
    ],
    'with content that is not DER': [{ safe: Uint8Array.of(0x30, 5) }, 'der-malformed', /larger/],
    'with an AES ciphertext of no whole blocks': [
      { contents: [encryptedContent(aes256(16), new Uint8Array(17))] },
      'pfx-decryption',
      /damaged/,
    ],
    'with an AES ciphertext of zeros': [
      { contents: [encryptedContent(aes256(16), new Uint8Array(16))] },
      'pfx-decryption',
      /damaged/,
    ],
    'with an IV of 8 octets': [
      { contents: [encryptedContent(aes256(8), new Uint8Array(16))] },
      'pfx-decryption',
      /damaged/,
    ],
    'with 65 certificates': [
      { bags: Array.from({ length: 65 }, () => certBag(derNull)) },
      'der-limits',
      /64 certificates/,
    ],
    'with 9 keys': [
      { bags: Array.from({ length: 9 }, () => keyBag(derNull)) },
      'key-ambiguous',
      /8/,
    ],
  }
  for (const [title, [parts, rule, words]] of Object.entries(structures)) {
    test(title, async () => assertRefused(await open(await makePfx(parts)), rule, words))
  }

  test('whose parts are each within bounds and together are not', async () => {
    const effort = new Effort()
    effort.spend('pkcs12', 300_000)
    effort.spend('pbkdf2', 300_000)
    const outcome = await parsedAsync(async () => effort.spend('pkcs12', 300_000))
    assertRefused(outcome, 'pfx-iterations', /500000 hash rounds/)
  })
})

function unsigned(...octets: readonly number[]): Uint8Array {
  return unsignedInteger(Uint8Array.from(octets))
}

/** PBES2 with AES-256 and one iteration. */
function aes256(ivLength: number): Uint8Array {
  const derivation = sequence(octetString(new Uint8Array(8)), unsigned(1))
  return sequence(
    objectIdentifier(oid.pbes2),
    sequence(
      sequence(objectIdentifier(oid.pbkdf2), derivation),
      sequence(objectIdentifier(oid.aes256Cbc), octetString(new Uint8Array(ivLength))),
    ),
  )
}
